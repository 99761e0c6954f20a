"""The demonstration as a whole, small and quick: everything that `dialer demo` starts."""

from pathlib import Path

import pytest

from dialer import demo
from dialer.demo import STOPPED, DemoError, Kind, Progress, run_demo


async def test_a_small_one_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        demo, "KINDS", (Kind("00", 2, second_leg=True), Kind("01", 2), Kind("04", 1))
    )
    monkeypatch.setattr(demo, "PACE", 0.01)
    monkeypatch.setattr(demo, "REFUSED_FIRST", 0)
    monkeypatch.setattr(demo, "LOOK", 0.02)
    shown: list[Progress] = []
    outcome = await run_demo(tmp_path, shown.append)
    assert {row.disposition: (row.attempts, row.items) for row in outcome.rows} == {
        "answered": (2, 2),
        "busy": (2, 2),
        "invalid": (1, 1),
        "terminated": (0, STOPPED.count),
    }
    assert outcome.complete
    assert shown[-1] == Progress(5 + STOPPED.count, 5 + STOPPED.count, 5, 10 + STOPPED.count, 0)
    assert len((tmp_path / "cdrs.ndjson").read_text().splitlines()) == 5


async def test_one_that_does_not_end_in_time_says_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "KINDS", (Kind("02", 1, timeout=120_000),))
    monkeypatch.setattr(demo, "DEADLINE", 0.3)
    monkeypatch.setattr(demo, "LOOK", 0.02)
    with pytest.raises(DemoError, match=r"not finished after 0\.3 s: Progress\(items=5"):
        await run_demo(tmp_path, lambda progress: None)
