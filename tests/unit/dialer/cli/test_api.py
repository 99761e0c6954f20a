"""`dialer api`: its part, and no other."""

from typing import Any

import pytest

from dialer.backends import Role
from dialer.cli import main


def test_it_runs_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[Role, dict[str, Any]]] = []
    monkeypatch.setattr("dialer.cli.api.run_process", lambda role, **more: ran.append((role, more)))
    assert main(["api"]) == 0
    assert ran == [(Role.API, {})]
