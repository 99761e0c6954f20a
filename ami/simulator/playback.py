"""Recorded calls played to a live client: each Originate gets the course of a call of a trace.

Ids, channel names and the ActionID are the live call's own; times are moved to now. Timestamps
keep their distances, at whatever speed it is played: a call that talked for 40 s has talked for
40 s in its CDR.
"""

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ami.simulator.channels import UNKNOWN, Channel
from ami.simulator.config import SimulatorConfig
from ami.simulator.dialogue import write_response
from ami.simulator.exchange import Exchange
from ami.simulator.pages import write_dial, write_event, write_hangup
from ami.simulator.requests import Headers, Originate, first_value, read_target, refuse_originate

_IDS: Final = frozenset({"uniqueid", "linkedid", "destuniqueid", "destlinkedid"})
_NAMES: Final = frozenset({"channel", "destchannel", "destination"})
_NUMBERED: Final = re.compile(r"(.*-)[0-9a-f]{8}((?:;[12])?)")
# Technologies that an Asterisk may have.
_DRIVERS: Final = frozenset(
    {"pjsip", "sip", "iax2", "local", "dahdi", "sccp", "dongle", "mobile", "mgcp", "motif"}
    | {"skinny", "ustm", "ooh323", "khomp", "quectel", "websocket", "audiosocket"}
)
_NOTHING: Final = frozenset({"", "<null>", "<unknown>", "(null)", "<none>"})


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a recorded call: seconds after its Originate when it came, its Timestamp by the
    same clock, and its headers with the values recorded."""

    after: float
    stamp: float
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Course:
    """A recorded call. `refusal`: the text of the Error with which its Originate was answered."""

    channel_id: str
    number: str
    steps: tuple[Step, ...]
    refusal: str | None = None


class Courses:
    """The recorded calls, to be taken: by the number dialed, else the next one in order that was
    not played; when all were, they begin again. ValueError where there is none."""

    def __init__(self, courses: Iterable[Course]) -> None:
        self._all = tuple(courses)
        if not self._all:
            raise ValueError("no course")
        self._left: dict[int, Course] = {}
        self._order: deque[int] = deque()
        self._by_number: defaultdict[str, deque[int]] = defaultdict(deque)
        self._fill()

    def __len__(self) -> int:
        return len(self._all)

    def take(self, number: str) -> Course:
        if not self._left:
            self._fill()
        for waiting in (self._by_number.get(number), self._order):
            while waiting:
                course = self._left.pop(waiting.popleft(), None)
                if course is not None:
                    return course
        raise AssertionError("what is left is in order")

    def _fill(self) -> None:
        self._left = dict(enumerate(self._all))
        self._order = deque(self._left)
        self._by_number.clear()
        for index, course in self._left.items():
            self._by_number[course.number].append(index)


class PlayedExchange(Exchange):
    """A PBX whose calls are recorded ones; `speed` times as fast as they were."""

    def __init__(
        self,
        courses: Courses,
        speed: float,
        config: SimulatorConfig,
        hear: Callable[[str, bytes], None],
        began: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config, hear, began)
        self.speed = speed
        self._courses = courses
        self._taken: dict[str, Course] = {}  # by ActionID, from the answer to the first event

    def refuse(self, headers: Headers) -> str | None:
        target = read_target(first_value(headers, "Channel"))
        if target is None or target.tech.lower() not in _DRIVERS:
            return super().refuse(headers)  # a probe: no call is played for it
        refusal = refuse_originate(headers, frozenset({first_value(headers, "Context")}))
        if refusal is not None:
            return refusal
        course = self._courses.take(target.number)
        if course.refusal is None:
            self._taken[first_value(headers, "ActionID")] = course
        return course.refusal

    def tell(self, name: str, data: bytes) -> None:
        """An event as it is."""
        self._hear(name, data)

    def new_id(self) -> str:
        return self._new_id(self.now())

    def new_number(self) -> int:
        """Of a channel's name."""
        self._named += 1
        return self._named - 1

    def _place(self, request: Originate) -> None:
        course = self._taken.pop(request.action_id, None)
        if self._refuse_id(request):
            return
        if course is None:
            write_response(self, request, request.channel, 0, request.channel_id or UNKNOWN)
            return
        call = PlayedCall(self, request, course)
        self._hold(call.channel_id, call)
        call.begin()


class PlayedCall:
    """One course being played for one Originate."""

    def __init__(self, exchange: PlayedExchange, request: Originate, course: Course) -> None:
        self.channel_id = request.channel_id or exchange.new_id()
        self._exchange = exchange
        self._request = request
        self._course = course
        self._ids = {course.channel_id: self.channel_id}
        self._names: dict[str, str] = {}
        self._bridges: dict[str, str] = {}
        self._channels: dict[str, Channel] = {}
        self._begun_at = exchange.now()
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._next = 0
        self._responded = False
        self._dialed = ""  # the channel that the Originate dials, while it does
        self._over = False

    def begin(self) -> None:
        """Play what is due, and wait for the rest."""
        if self._over:
            return
        steps = self._course.steps
        elapsed = (self._clock() - self._begun) * self._exchange.speed
        while self._next < len(steps) and steps[self._next].after <= elapsed:
            self._play(steps[self._next])
            self._next += 1
        if self._next == len(steps):
            self._end()
            return
        wait = (steps[self._next].after - elapsed) / self._exchange.speed
        self._exchange.later(wait, self.begin)

    def hang_up(self, channel: Channel, cause: int | None) -> None:
        """We end it before the recording does: every channel goes, and an open Originate fails."""
        if self._over:
            return
        dialed = self._channels.get(self._dialed)
        if dialed is not None:
            body = f"{write_dial(None, dialed)}DialStatus: NOANSWER\r\n"
            self._exchange.emit("DialEnd", body)
        for each in tuple(self._channels.values()):
            self._hang(each, cause or 0)
        if not self._responded:
            write_response(self._exchange, self._request, self._request.channel, 0, self.channel_id)
        self._end()

    def stop(self) -> None:
        for channel in tuple(self._channels.values())[:1]:
            self.hang_up(channel, None)
        self._end()

    def forget(self) -> None:
        self._over = True

    def _end(self) -> None:
        self._over = True
        for channel in self._channels.values():  # whose Hangup the recording lacks
            self._exchange.channels.remove(channel)
        self._exchange.call_over(self.channel_id)

    def _hang(self, channel: Channel, cause: int) -> None:
        if self._exchange.channels.remove(channel):
            del self._channels[channel.uniqueid]
            self._exchange.emit("Hangup", write_hangup(channel, cause, None))

    def _play(self, step: Step) -> None:
        headers = [(name, self._translate(name, value)) for name, value in step.headers]
        values = dict(reversed([(name.lower(), value) for name, value in headers]))
        name = values.get("event", "")
        skipped = {"event", "privilege", "timestamp"}
        if name == "OriginateResponse":
            self._responded = True
            skipped.add("actionid")
        self._see(name, values)
        lines = [f"{key}: {value}\r\n" for key, value in headers if key.lower() not in skipped]
        if name == "OriginateResponse":
            lines.insert(0, f"ActionID: {self._request.action_id}\r\n")
        privilege = values.get("privilege", "call,all")
        event = write_event(name, self._begun_at + step.stamp, "".join(lines), privilege)
        self._exchange.tell(name, event.encode("utf-8", "surrogateescape"))

    def _see(self, name: str, values: Mapping[str, str]) -> None:
        """Keep the list of live channels."""
        uniqueid = values.get("uniqueid", "")
        channel = self._channels.get(uniqueid)
        if name == "Newchannel" and channel is None:
            linkedid = values.get("linkedid") or self.channel_id
            channel = Channel(values.get("channel", ""), uniqueid, linkedid, self._exchange.now())
            channel.account = self._request.account
            self._channels[uniqueid] = channel
            self._exchange.channels.add(channel)
        elif name == "Newstate" and channel is not None:
            state = values.get("channelstate", "")
            channel.state = int(state) if state in ("4", "5", "6") else channel.state
        elif name in ("DialBegin", "DialEnd") and not uniqueid:
            self._dialed = values.get("destuniqueid", "") if name == "DialBegin" else ""
        elif name == "Hangup" and channel is not None:
            self._exchange.channels.remove(channel)
            del self._channels[uniqueid]

    def _translate(self, name: str, value: str) -> str:
        """The value in the call that is played."""
        kind = name.lower()
        if value in _NOTHING:
            return value
        if kind in _IDS:
            return self._translate_id(value)
        if kind in _NAMES and (numbered := _NUMBERED.fullmatch(value)) is not None:
            base = value.removesuffix(numbered[2])
            if base not in self._names:
                self._names[base] = f"{numbered[1]}{self._exchange.new_number():08x}"
            return self._names[base] + numbered[2]
        if kind == "bridgeuniqueid":
            return self._bridges.setdefault(value, self._exchange.new_bridge())
        return value

    def _translate_id(self, value: str) -> str:
        if value not in self._ids:
            half = value == f"{self._course.channel_id};2"
            self._ids[value] = f"{self.channel_id};2" if half else self._exchange.new_id()
        return self._ids[value]
