"""An afterthought comes too late where no call was left to wait for."""

from typing import cast

import pytest

from chaos.outages.asterisk import Asterisk, Exchange
from chaos.outages.harm import Dialer, Outage, Stage, inflict


class Stopping:
    """An Asterisk that is told to stop gracefully: with no calls it does so at once."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.alive = True
        self.orders: list[str] = []
        self.started = 0

    async def order(self, command: str) -> str:
        if not self.alive:
            raise FileNotFoundError(command)
        self.orders.append(command)
        if command == "core stop gracefully" and not self.calls:
            self.alive = False
        return "done"

    async def ended(self) -> int:
        assert not self.alive
        return 0

    async def start(self) -> None:
        self.alive = True
        self.started += 1


@pytest.mark.parametrize(("calls", "started"), [(30, 0), (0, 1)])
async def test_an_asterisk_that_stopped_before_the_afterthought_is_started(
    monkeypatch: pytest.MonkeyPatch, calls: int, started: int
) -> None:
    monkeypatch.setattr("chaos.outages.harm.AFTERTHOUGHT", 0.0)
    monkeypatch.setattr("chaos.outages.harm.STAYS_DOWN", 0.0)
    pbx = Stopping(calls)
    exchange = Exchange(cast("Asterisk", pbx), cast("Asterisk", None))
    await inflict(Outage.THINK_BETTER, Stage(exchange, cast("Dialer", None)))
    assert pbx.alive
    assert pbx.started == started
    assert ("core abort shutdown" in pbx.orders) is (started == 0)
