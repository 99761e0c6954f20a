import io
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from dialer.cli import demo as command
from dialer.cli.demo import PLAIN_EVERY, PlainLines, demo, show_progress
from dialer.demo import DemoError, Progress
from dialer.outcome import Outcome, Row, Sum

GOOD = Outcome((Row("answered", 2, 1), Row("expired", 0, 1)), 2, 2, 0, 5, (Sum("1 = 1", 1, 1),))
BAD = Outcome((), 0, 0, 0, 0, (Sum("callbacks: 1 = 2 CDRs", 1, 2),))


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(demo)
    return made


def play(monkeypatch: pytest.MonkeyPatch, outcome: Outcome | DemoError) -> None:
    async def run(folder: Path, show: object) -> Outcome:
        if isinstance(outcome, DemoError):
            raise outcome
        return outcome

    monkeypatch.setattr(command, "run_demo", run)


def test_success(app: typer.Typer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(monkeypatch, GOOD)
    result = CliRunner().invoke(app, ["--keep", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "answered" in result.output
    assert "ok    1 = 1" in result.output
    assert "5 deliveries were turned away at first" in result.output
    assert str(tmp_path / "cdrs.ndjson") in result.output
    assert str(tmp_path / "dialer.db") in result.output


def test_what_does_not_add_up_is_exit_1(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    play(monkeypatch, BAD)
    result = CliRunner().invoke(app, ["--keep", str(tmp_path)])
    assert result.exit_code == 1
    assert "WRONG callbacks: 1 = 2 CDRs" in result.output


def test_a_failure_is_a_sentence(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    play(monkeypatch, DemoError("not finished after 55 s"))
    result = CliRunner().invoke(app, ["--keep", str(tmp_path)])
    assert result.exit_code == 1
    assert "the demonstration failed: not finished after 55 s" in result.output


def test_without_a_terminal_there_are_lines_now_and_then() -> None:
    file = io.StringIO()
    times = iter([100.0, 100.0, 100.5, 101.0, 100.0 + PLAIN_EVERY, 200.0, 300.0])
    show = PlainLines(Console(file=file, width=200), lambda: next(times))
    show(Progress(10, 0, 0, 0, 1))
    show(Progress(10, 1, 0, 0, 1))
    show(Progress(10, 2, 0, 0, 1))
    show(Progress(10, 5, 6, 7, 1))
    assert file.getvalue().splitlines() == [
        "0 of 10 items ended, 0 attempts, 0 deliveries made, 1 waiting",
        "5 of 10 items ended, 6 attempts, 7 deliveries made, 1 waiting",
    ]


def test_the_end_is_always_shown() -> None:
    file = io.StringIO()
    show = PlainLines(Console(file=file, width=200), lambda: 5.0)
    show(Progress(1, 0, 0, 0, 1))
    show(Progress(1, 1, 1, 2, 0))
    assert file.getvalue().splitlines()[-1].startswith("1 of 1 items ended")


def test_a_terminal_gets_a_bar() -> None:
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=True)
    with show_progress(console) as show:
        show(Progress(10, 10, 12, 24, 0))
    assert "10/10" in file.getvalue()
    assert "12 attempts" in file.getvalue()
