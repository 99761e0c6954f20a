"""`dialer worker`: its part, and no other."""

from pathlib import Path
from typing import Any

import pytest

from dialer.backends import Role
from dialer.cli import main


@pytest.mark.parametrize(
    ("arguments", "more"),
    [([], {}), (["--record", "traces"], {"record_dir": Path("traces")})],
)
def test_it_dials(
    arguments: list[str], more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[Role, dict[str, Any]]] = []
    monkeypatch.setattr(
        "dialer.cli.worker.run_process", lambda role, **more: ran.append((role, more))
    )
    assert main(["worker", *arguments]) == 0
    assert ran == [(Role.WORKER, more)]
