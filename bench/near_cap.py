"""What clients get where workers share and a server's own calls a second are nearly used up.

    python -m bench.near_cap [--seconds 60] [--commit 0.004] [--redis 0.001]

Real workers (planner, slots, departures) in virtual time: a minute of them takes a second, and a
busy machine changes no figure. In memory are the store, whose commits take `--commit` seconds, the
links, and what Redis agrees on, by the rule of `dialer/coordination/lua/batch.lua`, `--redis`
seconds away. A line for each scene: servers and their limit; calls a second in all; of each client,
what it got, and its starts in its busiest rolling second; turns given, those that went by, and
attempts that were taken back.
"""

import argparse
import asyncio
import itertools
import random
import selectors
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ami import CallEnded, Kind, Message, Originate
from dialer.coordination.contract import SlotWish, Turn, Verdict
from dialer.coordination.turns import AHEAD, LINE, SLACK, space
from dialer.lanes import Lane
from dialer.planner import Planner
from dialer.reporting import Reporter
from dialer.store.contract import Delivery, Reservation, Settlement, Withdrawal
from dialer.worker import Worker, WorkerParts
from tests.unit.dialer.builders import make_client, make_queue, make_report, make_server
from tests.unit.dialer.worker_floor import Desk, item

SUCCESS: Final = Message(Kind.RESPONSE, "Success", b"Response: Success\r\nActionID: a")
FIRST_OF_CLIENT: Final = 1_000_000
WARM: Final = 5.0


class _Skipping(selectors.DefaultSelector):
    """Nothing is waited for: the time until something is due goes by at once."""

    gone_by = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.gone_by += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Of which `time` is virtual."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.gone_by


def time_now() -> float:
    return asyncio.get_running_loop().time()


class VirtualClock:
    """Wall and monotonic time are one."""

    def now(self) -> float:
        return time_now()

    def monotonic(self) -> float:
        return time_now()


@dataclass(frozen=True, slots=True)
class Load:
    """A client: its calls a second (None: no limit), its channels, and how long its calls last."""

    max_cps: float | None
    channels: int = 200
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Servers, a worker each, with calls a second of their own; every client calls on all."""

    title: str
    servers: int
    server_cps: float
    loads: tuple[Load, ...]


SCENES: Final = (
    Scene("alone", 1, 18.0, (Load(12.0),)),
    Scene("two that fill it", 1, 18.0, (Load(12.0), Load(6.0))),
    Scene("beside one without a limit", 1, 18.0, (Load(12.0), Load(None, 20))),
    Scene("the campaign's", 2, 18.0, (Load(24.0), Load(12.0, 20))),
    Scene("more than there is", 2, 18.0, (Load(24.0), Load(24.0))),
)


@dataclass(slots=True)
class Gate:
    """A client's line of turns, as Redis keeps it. Seconds."""

    last: float = 0.0
    line: int = 0
    at: float = 0.0


class Agreement:
    """What all workers agree on, in one place; `away` gives the seconds until its next answer."""

    def __init__(self, away: Callable[[], float], loads: Mapping[int, Load]) -> None:
        self.loop = asyncio.get_running_loop()
        self.away, self.loads = away, loads
        self.drivers: list[Worker] = []
        self.gates: defaultdict[int, Gate] = defaultdict(Gate)
        self.held: dict[str, tuple[int, int]] = {}  # channel id → client, server
        self.wanted: set[int] = set()
        self.turns: list[Turn] = []

    def ask(self, act: Callable[[], Any]) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = self.loop.create_future()

        def arrive() -> None:
            found = act()
            self.loop.call_later(self.away() / 2, answer.set_result, found)

        self.loop.call_later(self.away() / 2, arrive)
        return answer

    def take(self, wish: SlotWish) -> Verdict:
        mine = [one for one in self.held.values() if one[0] == wish.client_id]
        if len(mine) >= wish.limit:
            self.wanted.add(wish.client_id)
            return Verdict.FULL
        if wish.max_cps is not None:
            gate, step, now = self.gates[wish.client_id], space(wish.max_cps), self.loop.time()
            if now - gate.at >= 0.5:
                gate.line = 0
            if max(gate.last + step, now) + step * gate.line - now > LINE:
                return Verdict.FULL
            gate.line, gate.at = gate.line + 1, now
        self.held[wish.channel_id] = (wish.client_id, wish.server_id)
        return Verdict.GRANTED

    def turn(self, client_id: int, max_cps: float) -> Turn | None:
        gate, now = self.gates[client_id], self.loop.time()
        at = max(gate.last + space(max_cps), now)
        if at - now > AHEAD:
            return None
        gate.last, gate.line, gate.at = at, max(gate.line - 1, 0), now
        self.turns.append(Turn(at + 0.0002, at + 0.0002 + SLACK))
        return self.turns[-1]

    def free(self, channel_id: str) -> None:
        client_id, _ = self.held.pop(channel_id)
        if client_id in self.wanted:
            self.wanted.discard(client_id)
            for worker in self.drivers:
                worker.room()


class SharedDesk(Desk):
    """One worker's coordinator."""

    def __init__(self, agreement: Agreement) -> None:
        super().__init__()
        self.agreement = agreement

    def take(self, wish: SlotWish) -> "asyncio.Future[Verdict]":
        return self.agreement.ask(lambda: self.agreement.take(wish))

    def turn(self, client_id: int, max_cps: float | None) -> "asyncio.Future[Turn | None]":
        assert max_cps is not None
        return self.agreement.ask(lambda: self.agreement.turn(client_id, max_cps))

    def free(self, channel_id: str) -> None:
        self.agreement.ask(lambda: self.agreement.free(channel_id))


class Disk:
    """The store as a worker writes it; commits come one after another. `taken`: items that wait
    no more."""

    def __init__(self, takes: Callable[[], float]) -> None:
        self.loop, self.takes, self.free_at = asyncio.get_running_loop(), takes, 0.0
        self.items: dict[str, int] = {}
        self.taken: set[int] = set()
        self.withdrawn = 0

    def _write(self, outcome: object) -> "asyncio.Future[Any]":
        done: asyncio.Future[Any] = self.loop.create_future()
        self.free_at = max(self.free_at + 0.0005, self.loop.time() + self.takes())
        self.loop.call_at(self.free_at, done.set_result, outcome)
        return done

    def reserve(self, reservation: Reservation) -> "asyncio.Future[bool]":
        self.items[reservation.channel_id] = reservation.item_id
        self.taken.add(reservation.item_id)
        return self._write(True)

    def settle(self, settlement: Settlement) -> "asyncio.Future[tuple[Delivery, ...]]":
        return self._write(())

    def withdraw(self, withdrawal: Withdrawal) -> "asyncio.Future[tuple[Delivery, ...]]":
        self.withdrawn += 1
        self.taken.discard(self.items[withdrawal.channel_id])
        return self._write(())

    def note_sent(self, channel_id: str) -> None: ...
    def note_unsent(self, channel_id: str) -> None: ...


@dataclass(slots=True)
class Link:
    """One Asterisk, where every call ends after its client's `seconds`."""

    server_id: int
    place: "Place"
    up: bool = True
    flowing: bool = True
    sent: list[tuple[float, int]] = field(default_factory=list)  # when, client id

    def originate(self, originate: Originate) -> "asyncio.Future[Message]":
        loop = asyncio.get_running_loop()
        client_id = self.place.client_of(originate.channel_id)
        self.sent.append((loop.time(), client_id))
        answer: asyncio.Future[Message] = loop.create_future()
        loop.call_later(0.002, answer.set_result, SUCCESS)
        length = self.place.loads[client_id].seconds * random.uniform(0.8, 1.2)
        loop.call_later(length, self.place.end, originate.channel_id)
        return answer


class Place:
    """One worker with its server."""

    def __init__(
        self, server_id: int, scene: Scene, agreement: Agreement, takes: Callable[[], float]
    ) -> None:
        loop = asyncio.get_running_loop()
        ids = itertools.count(1)
        self.loads = agreement.loads
        self.link, self.disk = Link(server_id, self), Disk(takes)
        self.planner = Planner(lambda: f"{server_id}-{next(ids)}")
        self.planner.set_servers([make_server(server_id, max_cps=scene.server_cps)])
        clients = [
            make_client(n, max_cps=load.max_cps, allocated_channels=load.channels)
            for n, load in self.loads.items()
        ]
        self.planner.set_clients(clients, loop.time())
        self.planner.set_up(server_id, True)
        self.worker = Worker(
            WorkerParts(
                store=self.disk,  # type: ignore[arg-type]
                clock=VirtualClock(),
                planner=self.planner,
                reporter=Reporter(None, lambda deliveries: None),
                coordinator=SharedDesk(agreement),
                links={server_id: self.link},  # type: ignore[dict-item]
                fences={server_id: 1},
                disown=lambda server_id: None,
                request_refresh=lambda: None,
                feed_lanes=self.feed,
                check_deadlines=lambda: None,
                max_call_duration=7200,
            )
        )
        agreement.drivers.append(self.worker)
        for client_id in self.loads:
            self.planner.items_added(make_queue(client_id, client_id), [server_id])
        self.worker.wake()

    def client_of(self, channel_id: str) -> int:
        return self.disk.items[channel_id] // FIRST_OF_CLIENT

    def end(self, channel_id: str) -> None:
        report = make_report("answered", channel_id=channel_id)
        self.worker.on_effects([CallEnded(report)])

    def feed(self) -> None:
        for lane in self.planner.hungry_lanes(time_now()):
            lane.loading = True
            asyncio.get_running_loop().call_later(0.002, self._load, lane)

    def _load(self, lane: Lane) -> None:
        """There is always more of everything; what was withdrawn comes first."""
        asked, key = lane.load_size, {"client_id": lane.client_id, "queue_id": lane.queue_id}
        first = max(lane.cursor + 1, lane.client_id * FIRST_OF_CLIENT)
        ids = (n for n in itertools.count(first) if n not in self.disk.taken)
        found = [item(n, **key, server_id=lane.server_id) for n in itertools.islice(ids, asked)]
        lane.add_fresh(found, asked, self.planner.on_the_way)
        lane.retry_load_at, lane.loading = None, False
        self.planner.loaded(lane, time_now())
        self.worker.wake()


def most_in_a_second(starts: Sequence[float]) -> int:
    return max((bisect_left(starts, at + 1.0) - n for n, at in enumerate(starts)), default=0)


async def play(scene: Scene, seconds: float, commit: float, redis: float) -> str:
    """A line of figures of `seconds` after the first few."""
    loads = dict(enumerate(scene.loads, 1))
    agreement = Agreement(lambda: random.uniform(0.6, 1.4) * redis, loads)

    def takes() -> float:
        return random.uniform(0.6, 1.4) * commit

    places = [Place(n, scene, agreement, takes) for n in range(1, scene.servers + 1)]
    await asyncio.sleep(WARM)
    began, turns, withdrawn = (
        time_now(),
        len(agreement.turns),
        sum(p.disk.withdrawn for p in places),
    )
    await asyncio.sleep(seconds)
    starts = sorted(start for place in places for start in place.link.sent)
    words = []
    for n, load in loads.items():
        own = [at for at, client in starts if client == n]
        rate = sum(at >= began for at in own) / seconds
        most = f" ({most_in_a_second(own)})" if load.max_cps is not None else ""
        words.append(f"{rate:.1f} of {load.max_cps or 'any'}{most}")
        assert load.max_cps is None or most_in_a_second(own) <= load.max_cps
    for place in places:
        assert most_in_a_second([at for at, _ in place.link.sent]) <= scene.server_cps
    limited = {n for n, load in loads.items() if load.max_cps is not None}
    used = sum(at >= began and client in limited for at, client in starts)
    given = len(agreement.turns) - turns
    back = sum(p.disk.withdrawn for p in places) - withdrawn
    total = sum(at >= began for at, _ in starts) / seconds
    return (
        f"{scene.title:28} {scene.servers} x {scene.server_cps:g}: {total:5.1f}"
        f" | {', '.join(words)} | turns {given}, lost {max(0, given - used)}, taken back {back}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--commit", type=float, default=0.004)
    parser.add_argument("--redis", type=float, default=0.001)
    read = parser.parse_args()
    for scene in SCENES:
        random.seed(7)
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            print(runner.run(play(scene, read.seconds, read.commit, read.redis)))


if __name__ == "__main__":
    main()
