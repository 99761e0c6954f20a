"""Servers come and go: fenced and read before they are dialed on, quiet before they go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

import pytest

from ami import Message
from dialer.coordination.contract import Verdict
from dialer.errors import OwnershipLost, StoreUnavailable
from dialer.ownership import LOST, STORE_RETRY, Ownership, OwnershipParts, Tenure
from dialer.store.contract import OpenAttempt, RecentStart, Server
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_server
from tests.unit.dialer.worker_floor import Desk, Floor, item

OPEN = OpenAttempt(item(1), 1, "old-1", "act-1", "cdr-1", 999.0)


class Archive:
    """The store as ownership reads it."""

    def __init__(self) -> None:
        self.fence = 7
        self.owned: list[list[int]] = []
        self.broken = 0
        self.open: tuple[OpenAttempt, ...] = ()
        self.slow: list[asyncio.Event] = []  # what the next readings wait for, one each
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def fences(self, server_ids: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(server_ids, self.fence)

    async def own(self, server_ids: Sequence[int], seen: Mapping[int, int]) -> dict[int, int]:
        self.asked.set()
        await self.go_on.wait()
        if self.broken:
            self.broken -= 1
            raise StoreUnavailable("locked")
        if seen != dict.fromkeys(server_ids, self.fence):
            return {}
        self.fence += 1
        self.owned.append(list(server_ids))
        return dict.fromkeys(server_ids, self.fence)

    async def open_attempts(self, server_ids: Collection[int]) -> tuple[OpenAttempt, ...]:
        if self.slow:
            await self.slow.pop(0).wait()
        return tuple(a for a in self.open if a.candidate.server_id in server_ids)

    async def recent_starts(
        self, since: float, server_ids: Collection[int]
    ) -> tuple[RecentStart, ...]:
        return tuple(RecentStart(server_id, 1, since + 10.0) for server_id in server_ids)


class Cables:
    """Links, of which only the wish is there."""

    def __init__(self, site: "Site") -> None:
        self.kept: list[int] = []
        self.ended: list[int] = []
        self.problems: dict[int, str | None] = {}
        self.closing: asyncio.Task[None] | None = None
        self._site = site

    def keep(self, server: Server) -> None:
        self.kept.append(server.id)
        self._site.floor.planner.set_up(server.id, True)

    def end(self, server_id: int) -> "asyncio.Task[None] | None":
        self.ended.append(server_id)
        return self.closing

    def complain(self, server_id: int, problem: str | None) -> None:
        self.problems[server_id] = problem


class Site:
    """A worker among others on one server, which it does not have yet."""

    def __init__(self, *, shared: bool = True) -> None:
        self.desk = Desk()
        self.desk.shared = shared
        self.floor = Floor(self.desk)
        self.fences: dict[int, int] = self.floor.worker._parts.fences  # type: ignore[assignment]
        self.archive = Archive()
        self.cables = Cables(self)
        self.pauses: list[float] = []
        self.on_pause: Callable[[], None] = lambda: None
        self.refreshes = 0
        self.cut_off = False
        self.floor.planner.set_ours(1, False)
        self.ownership = Ownership(
            OwnershipParts(
                store=self.archive,  # type: ignore[arg-type]
                clock=self.floor.clock,
                coordinator=self.desk,
                planner=self.floor.planner,
                worker=self.floor.worker,
                links=self.cables,  # type: ignore[arg-type]
                fences=self.fences,
                refresh=self._refresh,
                cut_off=lambda: self.cut_off,
                pause=self._pause,
            )
        )

    async def _refresh(self) -> None:
        self.refreshes += 1

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.on_pause()

    @property
    def stage(self) -> Tenure | None:
        return self.ownership.stages.get(1)

    async def settle(self) -> None:
        for _ in range(4):
            await self.floor.turn()

    async def take(self) -> None:
        self.ownership.server_granted(1)
        await self.settle()

    async def dial(self, number: int = 5) -> str:
        """A call that was written and not answered; its ChannelId."""
        self.floor.feed(item(number))
        await self.floor.turn()
        if self.desk.shared:
            self.desk.answer(Verdict.GRANTED)
        await self.floor.turn()
        await self.floor.commit()
        return self.floor.link.sent[-1].channel_id


async def wait_for(event: asyncio.Event) -> None:
    await event.wait()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    running = asyncio.ensure_future(site.ownership.run())
    await site.settle()
    yield site
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_server_is_fenced_and_read_before_its_link(site: Site) -> None:
    site.archive.open = (OPEN,)
    site.archive.go_on.clear()
    await site.take()
    assert [site.stage, site.cables.kept, site.floor.worker.live_calls] == [Tenure.TAKING, [], 0]
    assert not site.ownership.settled
    site.archive.go_on.set()
    await site.settle()
    assert site.ownership.is_ours(1)
    assert site.fences == {1: 8}
    assert site.floor.worker.live_calls == 1
    assert [held.channel_id for held in site.desk.held[1]] == ["old-1"]
    assert site.cables.kept == [1]
    assert site.floor.planner.is_ours(1)
    assert site.refreshes == 1


async def test_a_grant_that_is_repeated_changes_nothing(site: Site) -> None:
    await site.take()
    await site.take()
    assert site.archive.owned == [[1]]


async def test_a_store_that_cannot_be_read_is_asked_again(site: Site) -> None:
    site.archive.broken = 2
    await site.take()
    assert site.pauses == [STORE_RETRY] * 2
    assert site.ownership.is_ours(1)


async def test_a_removed_server_without_calls_gets_no_link(site: Site) -> None:
    site.floor.planner.set_servers([make_server(1, removed=True)])
    await site.take()
    assert site.ownership.is_ours(1)
    assert site.cables.kept == []


async def test_who_may_not_write_any_more_fences_nobody(site: Site) -> None:
    """The lease ran out between the grant and this: the store is left to the next owner."""
    site.desk.until = site.floor.clock.mono
    site.on_pause = lambda: site.ownership.server_lost(1)
    await site.take()
    assert site.archive.owned == []
    assert site.stage is None


async def test_a_server_goes_when_all_is_quiet_and_its_live_calls_stay_open(site: Site) -> None:
    await site.take()
    live = await site.dial(5)
    site.floor.feed(item(6))
    await site.floor.turn()
    site.desk.answer(Verdict.GRANTED)
    await site.floor.turn()  # being written to disk
    site.ownership.server_wanted(1)
    await site.settle()
    assert site.stage is Tenure.LEAVING
    await site.floor.commit()  # granted, and at once withdrawn
    assert [sent.channel_id for sent in site.floor.link.sent] == [live]
    assert len(site.floor.ledger.withdrawals) == 1
    await site.floor.commit()
    assert site.cables.ended == []  # Asterisk has not answered the call's Originate
    site.floor.link.answers[0].set_result(Message.__new__(Message))
    site.floor.feed(item(7))
    await site.settle()
    assert site.cables.ended == [1]
    assert site.desk.given_up == [1]
    assert site.ownership.stages == {}
    assert site.floor.worker.live_calls == 0
    assert live not in site.desk.freed
    assert len(site.floor.ledger.reservations) == 2


async def test_the_ends_of_calls_are_on_disk_before_it_is_given_up(site: Site) -> None:
    await site.take()
    channel_id = await site.dial()
    site.floor.link.answers[0].set_result(Message.__new__(Message))
    site.floor.end(channel_id)
    await site.floor.turn()
    site.ownership.server_wanted(1)
    await site.settle()
    assert site.desk.given_up == []
    await site.floor.commit()
    await site.settle()
    assert site.desk.given_up == [1]
    assert len(site.floor.ledger.settlements) == 1


async def test_the_link_is_closed_before_it_is_given_up(site: Site) -> None:
    await site.take()
    closed = asyncio.Event()
    site.cables.closing = asyncio.get_running_loop().create_task(wait_for(closed))
    site.ownership.server_wanted(1)
    await site.settle()
    assert (site.cables.ended, site.desk.given_up) == ([1], [])
    closed.set()
    await site.settle()
    assert site.desk.given_up == [1]


async def test_one_that_is_wanted_while_it_is_read_is_given_up_after_that(site: Site) -> None:
    """The store may be fencing it for us: that must not come after the next owner's."""
    site.archive.go_on.clear()
    await site.take()
    site.ownership.server_wanted(1)
    await site.settle()
    assert site.desk.given_up == []
    site.archive.go_on.set()
    await site.settle()
    assert site.desk.given_up == [1]
    assert site.cables.kept == []
    assert site.stage is None


async def test_who_fences_the_store_too_late_takes_nothing(site: Site) -> None:
    """Another owner was given a token between the look at ours and our write."""
    site.archive.go_on.clear()
    await site.take()
    site.archive.fence += 1
    before = dict(site.fences)

    def lose() -> None:
        site.desk.until = site.floor.clock.mono
        site.ownership.server_lost(1)

    site.on_pause = lose
    site.archive.go_on.set()
    await site.settle()
    assert (site.archive.owned, site.fences, site.stage) == ([], before, None)
    assert site.cables.kept == []


async def test_where_nothing_gets_to_the_disk_it_goes_at_once(site: Site) -> None:
    await site.take()
    channel_id = await site.dial()
    site.floor.end(channel_id)
    await site.floor.turn()
    site.ownership.server_wanted(1)
    await site.settle()
    assert (site.stage, site.desk.given_up) == (Tenure.LEAVING, []), "its end is being written"
    site.cut_off = True
    site.ownership.server_wanted(1)
    await site.settle()
    assert (site.stage, site.desk.given_up) == (None, [1])
    assert site.cables.ended == [1]
    await site.floor.commit()  # it comes back
    await site.settle()
    assert site.desk.given_up == [1], "once"


async def test_one_that_was_never_had_is_given_up_at_once(site: Site) -> None:
    site.ownership.server_wanted(1)
    await site.settle()
    assert site.desk.given_up == [1]


async def test_a_lost_lease_lets_go_at_once_and_may_come_again(site: Site) -> None:
    await site.take()
    await site.dial()
    site.ownership.server_lost(1)
    assert site.floor.worker.live_calls == 0
    assert not site.floor.planner.is_ours(1)
    assert (site.cables.ended, site.desk.freed) == ([1], [])
    site.archive.open = (OPEN,)
    await site.take()
    assert site.ownership.is_ours(1)
    assert site.fences == {1: 9}
    assert site.floor.worker.live_calls == 1


async def test_what_is_on_its_way_to_the_disk_is_waited_for_before_it_is_read_again(
    site: Site,
) -> None:
    await site.take()
    site.floor.feed(item(5))
    await site.floor.turn()
    site.desk.answer(Verdict.GRANTED)
    await site.floor.turn()
    site.ownership.server_lost(1)
    await site.take()
    assert site.stage is Tenure.TAKING
    assert len(site.archive.owned) == 1
    site.floor.ledger.reservations[0][1].set_exception(OwnershipLost(1))
    await site.settle()
    assert site.ownership.is_ours(1)
    assert len(site.archive.owned) == 2


async def test_a_take_over_that_was_overtaken_puts_no_old_token_back(site: Site) -> None:
    reading = asyncio.Event()
    site.archive.slow = [reading]
    await site.take()
    site.ownership.server_lost(1)
    await site.take()
    assert (site.fences, site.stage) == ({1: 9}, Tenure.OURS)
    site.archive.open = (OPEN,)
    reading.set()
    await site.settle()
    assert (site.fences, site.stage) == ({1: 9}, Tenure.OURS)
    assert site.floor.worker.live_calls == 0, "what was read for it is not taken up either"
    assert site.cables.kept == [1]


async def test_a_refused_write_of_an_earlier_tenure_costs_the_present_one_nothing(
    site: Site,
) -> None:
    await site.take()
    site.floor.worker._lose(1, 7)
    assert site.ownership.is_ours(1)


async def test_who_is_refused_by_the_store_lets_the_coordinator_decide(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await site.take()
    for _ in range(2):
        site.ownership.disown(1)
    await site.settle()
    assert site.desk.given_up == [1]
    assert site.stage is None
    assert [r.levelname for r in caplog.records if "owns this server" in r.message] == ["CRITICAL"]
    await site.take()
    assert site.ownership.is_ours(1)


async def test_alone_it_stays_lost_until_the_next_start() -> None:
    site = Site(shared=False)
    running = asyncio.ensure_future(site.ownership.run())
    await site.settle()
    await site.take()
    site.ownership.disown(1)
    assert site.cables.problems == {1: LOST}
    await site.take()
    assert site.stage is None
    assert site.desk.given_up == []
    running.cancel()


async def test_who_ends_hands_everything_over_and_takes_no_more(site: Site) -> None:
    await site.take()
    await asyncio.wait_for(site.ownership.hand_over_all(), PATIENCE)
    assert site.desk.given_up == [1]
    await site.take()
    assert site.desk.given_up == [1, 1]
    assert site.stage is None


async def test_room_goes_to_the_worker(site: Site) -> None:
    await site.take()
    site.floor.feed(item(5))
    await site.floor.turn()
    site.desk.answer(Verdict.FULL)
    await site.floor.turn()
    site.ownership.room()
    await site.floor.turn()
    assert len(site.desk.wishes) == 2
