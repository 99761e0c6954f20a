"""`dialer deliver`: its part, and no other."""

from typing import Any

import pytest

from dialer.backends import Role
from dialer.cli import main


def test_it_runs_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[Role, dict[str, Any]]] = []
    monkeypatch.setattr(
        "dialer.cli.deliver.run_process", lambda role, **more: ran.append((role, more))
    )
    assert main(["deliver"]) == 0
    assert ran == [(Role.DELIVER, {})]
