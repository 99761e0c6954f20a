"""A worker on a floor of its own: planner and clock are real or fake, store and link in memory."""

import asyncio
import itertools
import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from ami import CallEnded, LinkDown, Message, Originate
from dialer.batch import build_batch
from dialer.bodies import parse_batch
from dialer.coordination.contract import (
    Coordinator,
    Driver,
    HeldSlot,
    SlotWish,
    Turn,
    Verdict,
)
from dialer.coordination.local import LocalCoordinator
from dialer.errors import StoreUnavailable
from dialer.planner import Planner
from dialer.reporting import Reporter
from dialer.store.contract import (
    Candidate,
    Delivery,
    Reservation,
    Settlement,
    Telling,
    Withdrawal,
)
from dialer.worker import Worker, WorkerParts
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_report, make_server
from tests.unit.dialer.clocks import FakeClock


def make_payload(**action: Any) -> dict[str, Any]:
    """A stored QueueItem as ingest makes it."""
    body = {
        "batch_id": 1,
        "data": [
            {
                "asterisk_server_code": "pbx1",
                "action": {"Action": "Originate", "Channel": "PJSIP/100000@carrier", **action},
            }
        ],
    }
    parsed = parse_batch(json.dumps(body).encode())
    (item,) = build_batch(parsed, make_client(1), {"pbx1": 1}, lambda: "new-id")
    return item.payload


PAYLOAD = make_payload()


class Ledger:
    """The store as the worker writes it; every write waits until the test commits it."""

    def __init__(self) -> None:
        self.withdrawals: list[tuple[Withdrawal, asyncio.Future[tuple[Delivery, ...]]]] = []
        self.tellings: list[tuple[Telling, asyncio.Future[tuple[Delivery, ...]]]] = []
        self.sent: set[str] = set()
        self.answered: dict[str, float] = {}
        self.full = False
        self.reservations: list[tuple[Reservation, asyncio.Future[bool]]] = []
        self.settlements: list[tuple[Settlement, asyncio.Future[tuple[Delivery, ...]]]] = []

    def reserve(self, reservation: Reservation) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.reservations.append((reservation, future))
        return future

    def settle(self, settlement: Settlement) -> "asyncio.Future[tuple[Delivery, ...]]":
        future: asyncio.Future[tuple[Delivery, ...]] = asyncio.get_running_loop().create_future()
        self.settlements.append((settlement, future))
        return future

    def withdraw(self, withdrawal: Withdrawal) -> "asyncio.Future[tuple[Delivery, ...]]":
        future: asyncio.Future[tuple[Delivery, ...]] = asyncio.get_running_loop().create_future()
        self.withdrawals.append((withdrawal, future))
        return future

    def tell(self, telling: Telling) -> "asyncio.Future[tuple[Delivery, ...]]":
        future: asyncio.Future[tuple[Delivery, ...]] = asyncio.get_running_loop().create_future()
        self.tellings.append((telling, future))
        return future

    def note_sent(self, channel_id: str) -> None:
        if self.full:
            raise StoreUnavailable("disk full")
        self.sent.add(channel_id)

    def can_note(self) -> bool:
        return not self.full

    def note_unsent(self, channel_id: str) -> None:
        self.sent.remove(channel_id)

    def note_answered(self, channel_id: str, at: float) -> None:
        self.answered[channel_id] = at


class FakeLink:
    """Stands for a ServerLink."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.looks = 0
        self.breaks = False
        self.stalled = False
        self.sent: list[Originate] = []
        self.answers: list[asyncio.Future[Message]] = []
        self.refused: list[tuple[str, str]] = []
        self.resumed: list[tuple[str, float, float | None]] = []
        self.down = False

    @property
    def up(self) -> bool:
        return not self.down

    @property
    def flowing(self) -> bool:
        return not (self.down or self.stalled)

    def look(self) -> None:
        self.looks += 1

    def forget(self, channel_id: str) -> None:
        self.forgotten.append(channel_id)

    def originate(self, originate: Originate) -> "asyncio.Future[Message]":
        if self.down or self.breaks:
            self.down = True
            raise LinkDown("the link is down")
        self.sent.append(originate)
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    def refuse(self, channel_id: str, detail: str) -> None:
        self.refused.append((channel_id, detail))

    def resume(
        self, channel_id: str, action_id: str, opened_at: float, answered_at: float | None
    ) -> None:
        self.resumed.append((channel_id, opened_at, answered_at))


class Desk:
    """A coordinator that other workers use, too; every question waits until the test answers it."""

    shared = True
    trouble: str | None = None

    def __init__(self) -> None:
        self.wishes: list[tuple[SlotWish, asyncio.Future[Verdict]]] = []
        self.turns: list[tuple[int, asyncio.Future[Turn | None]]] = []
        self.freed: list[str] = []
        self.held: dict[int, list[HeldSlot]] = {}
        self.offered: list[int] = []
        self.given_up: list[int] = []
        self.until = float("inf")

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def run(self, driver: Driver) -> None: ...
    async def live(self) -> dict[int, int]:
        return {}

    def offer(self, server_ids: Collection[int], doubtful: Collection[int] = ()) -> None:
        self.offered = list(server_ids)

    async def give_up(self, server_id: int) -> None:
        self.given_up.append(server_id)

    def may_write_until(self, server_id: int) -> float:
        return self.until

    def take(self, wish: SlotWish) -> "asyncio.Future[Verdict]":
        asked: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self.wishes.append((wish, asked))
        return asked

    def turn(self, client_id: int, max_cps: float | None) -> "asyncio.Future[Turn | None]":
        asked: asyncio.Future[Turn | None] = asyncio.get_running_loop().create_future()
        self.turns.append((client_id, asked))
        return asked

    def free(self, channel_id: str) -> None:
        self.freed.append(channel_id)

    def hold(self, server_id: int, slots: Iterable[HeldSlot]) -> None:
        self.held[server_id] = list(slots)

    def answer(self, *verdicts: Verdict) -> None:
        """Answer the oldest questions for slots that wait."""
        waiting = [asked for _, asked in self.wishes if not asked.done()]
        for asked, verdict in zip(waiting, verdicts, strict=True):
            asked.set_result(verdict)


class Floor:
    """A worker with one client on one server, and everything around it in memory."""

    def __init__(self, coordinator: Coordinator | None = None, **client: Any) -> None:
        ids = itertools.count(1)
        self.clock = FakeClock()
        self.ledger = Ledger()
        self.link = FakeLink()
        self.offered: list[Delivery] = []
        self.refreshes = 0
        self.disowned: list[int] = []
        self.deadline_checks = 0
        self.planner = Planner(lambda: f"00000000-0000-7000-8000-{next(ids):012d}")
        client = {"callback_url": "https://client.example/", "allocated_channels": 2} | client
        self.planner.set_servers([make_server(1)])
        self.planner.set_clients([make_client(1, **client)], self.clock.mono)
        self.planner.set_up(1, True)
        self.worker = Worker(
            WorkerParts(
                store=self.ledger,  # type: ignore[arg-type]
                clock=self.clock,
                planner=self.planner,
                reporter=Reporter(None, self.offered.extend),
                coordinator=coordinator or LocalCoordinator(),
                links={1: self.link},  # type: ignore[dict-item]
                fences={1: 7},
                disown=self._disown,
                request_refresh=self._refresh,
                feed_lanes=self._feed_lanes,
                check_deadlines=self._check_deadlines,
                max_call_duration=7200,
            )
        )

    def _feed_lanes(self) -> None:
        self.planner.hungry_lanes(self.clock.wall)  # nothing more is in this store

    def _disown(self, server_id: int) -> None:
        self.disowned.append(server_id)
        self.planner.set_up(server_id, False)

    def _refresh(self) -> None:
        self.refreshes += 1

    def _check_deadlines(self) -> None:
        self.deadline_checks += 1

    def feed(self, *items: Candidate) -> None:
        queue = make_queue(retry_count=1)
        self.planner.items_added(queue, [1])
        lane = self.planner.lanes[1, 1]
        lane.add_fresh([replace(i, payload=i.payload) for i in items], 1000, set())
        lane.retry_load_at = None
        self.planner.loaded(lane, self.clock.mono)
        self.worker.wake()

    async def turn(self) -> None:
        """Let the event loop do what is ready."""
        for _ in range(6):
            await asyncio.sleep(0)

    async def commit(self) -> None:
        """Everything that waits for the disk gets there."""
        for _, granted in self.ledger.reservations:
            if not granted.done():
                granted.set_result(True)
        for _, written in (*self.ledger.settlements, *self.ledger.withdrawals):
            if not written.done():
                written.set_result(())
        await self.turn()

    def end(self, channel_id: str, disposition: str = "answered", **fields: Any) -> None:
        report = make_report(disposition, channel_id=channel_id, **fields)
        self.worker.on_effects([CallEnded(report)])


def item(id: int = 1, **fields: Any) -> Candidate:
    return make_item(id, **({"payload": PAYLOAD} | fields))
