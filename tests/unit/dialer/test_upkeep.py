"""Upkeep: signals refresh what they name; deadlines end what they pass; secrets are named."""

import asyncio
from pathlib import Path

import pytest

from dialer.errors import SettingsError, StoreUnavailable
from dialer.lanes import Lane
from dialer.planner import Planner
from dialer.reporting import Reporter
from dialer.states import ItemEnd, QueueStatus
from dialer.store.contract import Candidate, CloseItem, EndedItem, Queue, Server, Snapshot
from dialer.upkeep import EXPIRE_AT_ONCE, UNFINISHED, Upkeep, address_of
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_server
from tests.unit.dialer.clocks import FakeClock


class Records:
    """The store as upkeep reads it."""

    def __init__(self) -> None:
        self.servers = (make_server(1),)
        self.queue_now: Queue = make_queue()
        self.expiring: list[Candidate] = []
        self.deadline: float | None = None
        self.pieces = 0  # of an unfinished change
        self.asked = asyncio.Event()
        self.snapshots = 0
        self.broken = 0
        self.closed: list[str] = []

    async def snapshot(self) -> Snapshot:
        self.snapshots += 1
        if self.broken:
            self.broken -= 1
            raise StoreUnavailable("locked")
        return Snapshot(self.servers, (make_client(1),), (self.queue_now,), ((1, 1),))

    async def queue_lanes(self, queue_id: int) -> tuple[Queue, tuple[int, ...]]:
        return self.queue_now, (1,)

    async def expire_items(self, now: float, limit: int, close: CloseItem) -> int:
        self.pieces -= self.pieces > 0
        if self.deadline == UNFINISHED and not self.pieces:
            self.deadline = None
        part, self.expiring = self.expiring[:limit], self.expiring[limit:]
        for item in part:
            client = make_client(1, callback_url="https://client.example/")
            ended = EndedItem(item, ItemEnd.EXPIRED, client, "pbx1")
            self.closed += [row.event_id for row in close(ended)]
        return len(part)

    async def next_deadline(self) -> float | None:
        self.asked.set()
        return self.deadline


class Office:
    def __init__(self) -> None:
        self.records = Records()
        self.clock = FakeClock()
        self.planner = Planner(lambda: "id")
        self.woken = asyncio.Event()
        self.deliveries_woken = 0
        self.applied: list[tuple[Server, ...]] = []
        self.upkeep = Upkeep(
            self.records,  # type: ignore[arg-type]
            self.planner,
            self.clock,
            Reporter(None, lambda _: None),
            self.applied.append,
            self.woken.set,
            self._wake_delivery,
        )

    def _wake_delivery(self) -> None:
        self.deliveries_woken += 1

    async def after(self, signal: str, *args: int) -> None:
        """Send a signal and wait until it was acted on."""
        self.woken.clear()
        task = asyncio.ensure_future(self.upkeep.keep_fresh())
        getattr(self.upkeep, signal)(*args)
        async with asyncio.timeout(PATIENCE):
            await self.woken.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_refresh_tells_the_planner_everything() -> None:
    office = Office()
    await office.upkeep.refresh()
    assert office.planner.server(1).code == "pbx1"
    assert office.planner.client(1).accountcode == "client1"
    assert office.planner.queue(1) is not None
    assert (1, 1) in office.planner.lanes
    assert office.applied == [office.records.servers]


async def test_what_was_read_before_a_queue_came_does_not_forget_it() -> None:
    office = Office()
    records, read, go = office.records, asyncio.Event(), asyncio.Event()
    before = Snapshot(records.servers, (make_client(1),), (), ())
    now = records.snapshot

    async def read_slowly() -> Snapshot:
        records.snapshot = now  # type: ignore[method-assign]
        read.set()
        await go.wait()
        return before

    records.snapshot = read_slowly  # type: ignore[method-assign]
    reading = asyncio.ensure_future(office.upkeep.refresh())
    async with asyncio.timeout(PATIENCE):
        await read.wait()
        told = asyncio.ensure_future(office.after("items_added", 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        go.set()
        await reading
        await told
    assert office.planner.queue(1) is not None
    assert (1, 1) in office.planner.lanes


async def test_a_queue_that_changed_with_all_the_rest_is_looked_at_anew() -> None:
    office = Office()
    await office.upkeep.refresh()
    lane = satisfied_lane(office)
    office.upkeep.queue_changed(1)
    await office.after("configuration_changed")
    assert expects(lane) == (True, 0.0)


async def test_new_items_make_their_lane_hungry() -> None:
    office = Office()
    await office.upkeep.refresh()
    office.planner.set_up(1, True)
    office.planner.lanes[1, 1].more = False
    await office.after("items_added", 1)
    assert office.planner.lanes[1, 1].more
    assert office.records.snapshots == 1


async def test_a_paused_queue_is_known_at_once() -> None:
    office = Office()
    await office.upkeep.refresh()
    office.records.queue_now = make_queue(status=QueueStatus.PAUSED)
    await office.after("queue_changed", 1)
    queue = office.planner.queue(1)
    assert queue is not None
    assert not queue.may_dial


async def test_a_configuration_change_reads_everything_anew() -> None:
    office = Office()
    await office.after("configuration_changed")
    assert office.records.snapshots == 1


def test_what_may_have_left_closing_callbacks_wakes_delivery() -> None:
    office = Office()
    office.upkeep.items_added(1)
    assert office.deliveries_woken == 0
    office.upkeep.queue_changed(1)
    office.upkeep.configuration_changed()
    assert office.deliveries_woken == 2


async def test_items_past_their_deadline_end_in_portions_and_their_client_is_told() -> None:
    office = Office()
    office.records.expiring = [make_item(n) for n in range(EXPIRE_AT_ONCE + 3)]
    task = asyncio.ensure_future(office.upkeep.expire())
    async with asyncio.timeout(PATIENCE):
        await office.records.asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(office.records.closed) == EXPIRE_AT_ONCE + 3
    assert office.deliveries_woken == 2


def satisfied_lane(office: Office) -> Lane:
    """A lane for which the store holds nothing more."""
    lane = office.planner.lanes[1, 1]
    lane.more, lane.retry_load_at = False, None
    return lane


def expects(lane: Lane) -> tuple[bool, float | None]:
    return lane.more, lane.retry_load_at


async def test_an_unfinished_change_is_finished_and_then_its_queue_is_looked_at_anew() -> None:
    office = Office()
    await office.upkeep.refresh()
    lane = satisfied_lane(office)
    office.records.deadline = UNFINISHED
    office.records.pieces = 3
    office.woken.clear()
    task = asyncio.ensure_future(office.upkeep.expire())
    async with asyncio.timeout(PATIENCE):
        await office.woken.wait()
    assert office.records.pieces == 0
    assert expects(lane) == (True, 0.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_changed_queue_is_looked_at_anew_and_its_rest_is_done() -> None:
    office = Office()
    await office.upkeep.refresh()
    lane = satisfied_lane(office)
    await office.after("check_queue", 1)
    assert expects(lane) == (False, None)
    await office.after("queue_changed", 1)
    assert expects(lane) == (True, 0.0)
    task = asyncio.ensure_future(office.upkeep.expire())
    async with asyncio.timeout(PATIENCE):
        await office.records.asked.wait()
        office.records.asked.clear()
        office.upkeep.queue_changed(1)
        await office.records.asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_new_items_move_the_alarm_for_deadlines() -> None:
    office = Office()
    task = asyncio.ensure_future(office.upkeep.expire())
    async with asyncio.timeout(PATIENCE):
        await office.records.asked.wait()
        office.records.asked.clear()
        office.upkeep.items_added(1)
        await office.records.asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    assert address_of(make_server(1), {"SECRET": "s3"}).secret == "s3"
    path = tmp_path / "secret"
    path.write_text("from-file\n")
    server = make_server(1, secret_env=None, secret_file=str(path))
    assert address_of(server, {}).secret == "from-file"
    assert "from-file" not in repr(address_of(server, {}))


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (make_server(1), "environment variable SECRET.*pbx1, is not set"),
        (make_server(1, secret_env=None, secret_file="/nowhere"), "pbx1 cannot be read"),
    ],
)
def test_a_missing_secret_is_one_sentence(server: Server, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        address_of(server, {})
