"""The calls of a trace as courses that a simulator can play: what was said of each, and when."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ami import CallEffect, Message
from ami.simulator import Course, Step
from ami.trace import Direction, Record
from dialer.replay.follower import RESTARTED, Follower, TracedCall

_ORDER: Final = re.compile(rb"(?im)^action:[ \t]*originate[ \t\r]*$")
_CHANNEL_ID: Final = re.compile(rb"(?im)^channelid:[ \t]*([^\r\n]+)")
_APART: Final = 0.01  # seconds between events of a trace without a clock


@dataclass(frozen=True, slots=True)
class Recorded:
    """The courses in the order in which their calls ended. `skipped`: calls that are in the trace
    in part, or whose end Asterisk did not tell because it was restarted; `others`: calls that
    nobody originated over AMI."""

    courses: tuple[Course, ...]
    skipped: int
    others: int


def read_courses(records: Iterable[Record]) -> Recorded:
    """The courses of one session's records."""
    collector = _Collector()
    follower = Follower()
    follower.watch = collector.take
    for record in records:
        collector.see(record)
        for call in follower.feed(record):
            collector.conclude(call)
    for call in follower.finish():
        collector.conclude(call)
    return Recorded(tuple(collector.courses), collector.skipped, collector.others)


class _Collector:
    def __init__(self) -> None:
        self.courses: list[Course] = []
        self.skipped = self.others = 0
        self._ordered: dict[str, float] = {}
        self._said: dict[str, list[tuple[float | None, Message]]] = {}

    def see(self, record: Record) -> None:
        """When an Originate was written."""
        if record.direction is not Direction.SENT or record.at is None:
            return
        if _ORDER.search(record.data) and (found := _CHANNEL_ID.search(record.data)):
            channel_id = found[1].strip().decode("utf-8", "replace")
            self._ordered.setdefault(channel_id, record.at)

    def take(
        self, at: float | None, message: Message | None, channel_id: str, _: list[CallEffect]
    ) -> None:
        """A Follower's `watch`."""
        if message is not None:
            self._said.setdefault(channel_id, []).append((at, message))

    def conclude(self, call: TracedCall) -> None:
        said = self._said.pop(call.channel_id, [])
        ordered = self._ordered.pop(call.channel_id, None)
        if call.of_nobody:
            self.others += 1
        elif call.report is None or call.report.detail == RESTARTED or not said:
            self.skipped += 1
        else:
            self.courses.append(_make_course(call, said, ordered))


def _make_course(
    call: TracedCall, said: list[tuple[float | None, Message]], ordered: float | None
) -> Course:
    number = call.origin.number if call.origin is not None else ""
    first = said[0][1]
    if not first.get("Event"):
        return Course(call.channel_id, number, (), first.get("Message"))
    origin = ordered if ordered is not None else said[0][0]
    steps = []
    for index, (at, message) in enumerate(said):
        known = at is not None and origin is not None
        after = max(0.0, (at or 0.0) - (origin or 0.0)) if known else index * _APART
        stamp = _stamp_of(message)
        moved = stamp - origin if stamp is not None and origin is not None else after
        steps.append(Step(after, moved, message.headers))
    return Course(call.channel_id, number, tuple(steps))


def _stamp_of(message: Message) -> float | None:
    try:
        stamp = float(message.get("Timestamp"))
    except ValueError:
        return None
    return stamp if math.isfinite(stamp) else None
