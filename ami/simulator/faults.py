"""Faults that a scenario asks for: what goes wrong at the simulated Asterisk, and when."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from ami.simulator.channels import Channel
from ami.simulator.pages import write_channel, write_event, write_hangup

_STRANGERS: Final = 3  # events of one call that a flood tells of
_AT_ONCE: Final = 600  # events of a flood in one turn of the loop


class Ending(StrEnum):
    """What a sudden end ends."""

    CUT = "cut"  # the links; calls go on
    RESTART = "restart"  # killed: links and calls, without a word
    SHUTDOWN = "shutdown"  # told to stop now: every call ends first


@dataclass(frozen=True, slots=True)
class When:
    """After the Originate of that number (counted from 1), of each multiple of one, or that many
    seconds after the start."""

    at_call: int | None = None
    every_calls: int | None = None
    at_second: float | None = None

    def is_due(self, calls: int) -> bool:
        return calls == self.at_call or (
            self.every_calls is not None and calls % self.every_calls == 0
        )


@dataclass(frozen=True, slots=True)
class Interruption:
    """The end of links or of everything; for `down` seconds nobody can connect."""

    what: Ending
    when: When
    down: float = 0.0


@dataclass(frozen=True, slots=True)
class Loss:
    """Every so many-th event of a name is lost."""

    event: str
    every: int


@dataclass(frozen=True, slots=True)
class Disorder:
    """A share of all events but Newchannel comes up to `within` seconds late."""

    share: float
    within: float


@dataclass(frozen=True, slots=True)
class Flood:
    """So many events of calls of others, as fast as they go."""

    when: When
    events: int


@dataclass(frozen=True, slots=True)
class Slowness:
    """For `lasts` seconds every answer to an action comes `delay` seconds late."""

    when: When
    delay: float
    lasts: float


Fault = Interruption | Loss | Disorder | Flood | Slowness
Pass = Callable[[str, bytes], None]


class Server(Protocol):
    """What faults need of the simulator."""

    def spread(self, name: str, data: bytes) -> None: ...
    def drop_links(self) -> None: ...
    def now(self) -> float: ...
    async def interrupt(self, what: Ending, down: float) -> None: ...


class Mishaps:
    """Applies faults: between the exchange and the sessions (`hear`), at calls (`call_began`) and
    after times (`start`). `answer_delay`: seconds that answers wait now."""

    def __init__(self, faults: Iterable[Fault], seed: int, server: Server) -> None:
        self.answer_delay = 0.0
        self.lost = 0
        self._server = server
        self._calls = 0
        self._losses = [fault for fault in faults if isinstance(fault, Loss)]
        self._disorders = [fault for fault in faults if isinstance(fault, Disorder)]
        self._timed = [f for f in faults if isinstance(f, Interruption | Flood | Slowness)]
        self._seen: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 (repeatable, and no secret)
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False
        self._strangers = 0
        # What nothing is wrong with goes straight on.
        self.hear: Pass = self._hear if self._losses or self._disorders else server.spread

    def start(self) -> None:
        """The clock of faults with a time begins, once."""
        if self._started:
            return
        self._started = True
        for fault in self._timed:
            if fault.when.at_second is not None:
                self._after(fault.when.at_second, lambda fault=fault: self._apply(fault))  # type: ignore[misc]

    def stop(self) -> None:
        """Nothing more goes wrong."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._timers.clear()
        self.answer_delay = 0.0

    def call_began(self) -> None:
        """An Originate was taken."""
        self._calls += 1
        for fault in self._timed:
            if fault.when.is_due(self._calls):
                self._after(0.0, lambda fault=fault: self._apply(fault))  # type: ignore[misc]

    def _hear(self, name: str, data: bytes) -> None:
        self._seen[name] += 1
        for loss in self._losses:
            if loss.event == name and self._seen[name] % loss.every == 0:
                self.lost += 1
                return
        for disorder in self._disorders:
            if name != "Newchannel" and self._chance.random() < disorder.share:
                late = self._chance.uniform(0.0, disorder.within)
                self._after(late, lambda: self._server.spread(name, data))
                return
        self._server.spread(name, data)

    def _apply(self, fault: Interruption | Flood | Slowness) -> None:
        match fault:
            case Interruption():
                self._run(self._server.interrupt(fault.what, fault.down))
            case Flood():
                self._run(self._pour(fault.events))
            case Slowness():
                self.answer_delay = fault.delay
                self._after(fault.lasts, self._recover)

    def _recover(self) -> None:
        self.answer_delay = 0.0

    async def _pour(self, events: int) -> None:
        for done in range(0, events, _STRANGERS):
            self._pass_stranger()
            if done % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _pass_stranger(self) -> None:
        """A call that comes in, and goes again."""
        self._strangers += 1
        now = self._server.now()
        number = self._strangers
        channel = Channel(f"PJSIP/others-{number:08x}", f"{int(now)}.9{number:06}", "", now)
        channel.linkedid = channel.uniqueid
        for name, body in (
            ("Newchannel", write_channel(channel)),
            ("Newstate", write_channel(channel)),
            ("Hangup", write_hangup(channel, 16, None)),
        ):
            self._server.spread(name, write_event(name, now, body).encode())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _after(self, delay: float, act: Callable[[], None]) -> None:
        def ring() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(delay, ring)
        self._timers.add(timer)
