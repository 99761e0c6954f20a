"""The link cut at every byte of an Originate and of its answer: what may have rung is not dialed
again, what cannot have is known, and every call ends once."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from ami import (
    Address,
    AmiClient,
    CallEffect,
    CallEnded,
    CallReport,
    LinkLost,
    Originate,
    Timing,
    serialize,
)
from ami.client import DEFAULT_TIMING
from ami.simulator import Simulator, SimulatorConfig
from dialer.reconcile import CONFIRM, SETTLING
from dialer.server_link import LinkListener, ServerLink
from tests.cutting_proxy import CuttingProxy
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_server


class LeapingClock:
    """The real one, which a test may set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@dataclass
class Site:
    simulator: Simulator
    proxy: CuttingProxy
    clock: LeapingClock
    timing: Timing = DEFAULT_TIMING
    reports: list[CallReport] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    link: ServerLink = field(init=False)

    def __post_init__(self) -> None:
        self.link = ServerLink(
            make_server(1),
            Address("127.0.0.1", self.proxy.port, "dialer", "dialer-lab"),
            LinkListener(
                on_effects=self._note,
                on_change=lambda _link, _renewed: self.changed.set(),
                on_reported=lambda _link: None,
                on_failure=lambda error: pytest.fail(str(error)),
            ),
            self.clock,
            max_call_duration=7200,
            make_client=partial(AmiClient, sleep=self._hurry, timing=self.timing),
        )

    async def _hurry(self, seconds: float) -> None:
        """Reconnect at once."""
        await asyncio.sleep(0)

    def _note(self, effects: Sequence[CallEffect]) -> None:
        self.reports += [e.report for e in effects if isinstance(e, CallEnded)]
        self.changed.set()

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    def call(self, number: int) -> Originate:
        return Originate(
            f"act-{number:08}", f"chan-{number:08}", "PJSIP/1007@carrier", 30_000,
            application="Wait", data="3600",
        )  # fmt: skip

    async def cut_short(self, number: int, **cut: int) -> None:
        """Originate one call on a link that is cut, and wait until the next link is up."""
        await self.until(lambda: self.link.up)
        for name, value in cut.items():
            setattr(self.proxy, name, value)
        answer = self.link.originate(self.call(number))
        await asyncio.wait({answer}, timeout=PATIENCE)
        if answer.exception() is not None:
            assert isinstance(answer.exception(), LinkLost)  # the kernel had all of it
        self.proxy.cut_originate = self.proxy.cut_answer = None
        self.proxy.cut()
        await self.until(lambda: not self.link.up)

    async def compare_twice(self) -> None:
        await self.until(lambda: self.link.up)
        self.clock.ahead += SETTLING
        for _ in range(2):
            await self.link._compare()
            self.clock.ahead += CONFIRM


@asynccontextmanager
async def sited(*, scale: float = 1.0, timing: Timing = DEFAULT_TIMING) -> AsyncIterator[Site]:
    clock = LeapingClock()
    simulator = Simulator(SimulatorConfig(scale=scale, clock=clock.now))
    await simulator.start()
    try:
        async with CuttingProxy(simulator.port) as proxy:
            site = Site(simulator, proxy, clock, timing)
            running = asyncio.create_task(site.link.run())
            try:
                yield site
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
    finally:
        await simulator.stop()


async def test_cut_at_every_byte_of_an_originate() -> None:
    """Far end 07: answers and talks for 30 s (scaled up: for as long as the test runs)."""
    async with sited(scale=1000.0) as site:
        size = len(serialize(site.call(0)))
        for passed in range(size + 1):
            await site.cut_short(passed, cut_originate=passed)
        await site.compare_twice()
        assert site.simulator.counters.originates == 1
        assert [call.channel_id for call in site.simulator.calls] == [f"chan-{size:08}"]
        ended = Counter(report.channel_id for report in site.reports)
        assert ended == Counter(f"chan-{passed:08}" for passed in range(size))
        assert {str(report.disposition) for report in site.reports} == {"unknown"}
        assert f"chan-{size:08}" in site.link.tracker  # it lives, and is followed


async def test_cut_at_every_byte_of_the_answer() -> None:
    """The Originate was run each time: every call is found live and followed to its own end."""
    async with sited(scale=1000.0) as site:
        await site.until(lambda: site.link.up)
        answer = await site.link.originate(site.call(9_999))
        size = len(answer.raw) + 4
        for passed in range(size + 1):
            await site.cut_short(passed, cut_answer=passed)
        await site.compare_twice()
        rang = Counter(call.channel_id for call in site.simulator.calls)
        assert set(rang.values()) == {1}
        assert len(rang) == size + 2 == site.simulator.counters.originates
        assert site.reports == []
        assert len(site.link.tracker) == size + 2
        await site.simulator.restart()  # they vanish without an event
        await site.until(lambda: len(site.reports) == size + 2)
        assert {report.detail for report in site.reports} == {"Asterisk was restarted"}


async def test_a_link_through_which_nothing_comes_is_noticed() -> None:
    """Half-open: both ends believe in it."""
    quick = Timing(ping_interval=0.01, ping_timeout=0.05, login_timeout=0.05)
    async with sited(timing=quick) as site:
        await site.until(lambda: site.link.up)
        site.proxy.frozen = True
        await site.until(lambda: not site.link.up)
        site.proxy.frozen = False
        site.proxy.cut()
        await site.until(lambda: site.link.up)
