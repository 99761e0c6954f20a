"""The timeline of one call: each event, and what it changed in the CDR."""

import json
from dataclasses import asdict
from typing import Any, Final

from ami import CallEffect, CallEnded, CallProgressed, CallReport, CallTracker, Message

# What stands beside an event's name, of what it has.
_TELLING: Final = (
    "Channel",
    "ChannelStateDesc",
    "DestChannel",
    "DialString",
    "DialStatus",
    "Response",
    "Reason",
    "Cause",
    "Cause-txt",
    "TechCause",
    "BridgeUniqueid",
    "UserEvent",
)
_DULL: Final = frozenset({"ended_at", "end_estimated", "channel_id", "action_id", "unreported"})


class Explainer:
    """Collects a call's timeline while its trace is followed. `take` is a Follower's `watch`."""

    def __init__(self, channel_id: str, tracker: CallTracker) -> None:
        self.lines: list[str] = []
        self._channel_id = channel_id
        self._tracker = tracker
        self._begun_at: float | None = None
        self._before: dict[str, Any] = {}

    def take(
        self, at: float | None, message: Message | None, channel_id: str, effects: list[CallEffect]
    ) -> None:
        """Note what an event of this call was, and what came of it."""
        if channel_id != self._channel_id:
            return
        if self._begun_at is None:
            self._begun_at = at
        known = at is not None and self._begun_at is not None
        since = f"{(at or 0.0) - (self._begun_at or 0.0):+8.3f}" if known else f"{'?':>8}"
        self.lines.append(f"{since}  {_describe(message)}")
        for effect in effects:
            if isinstance(effect, CallProgressed):
                self.lines.append(f"{'':10}  → {effect.progress.value}")
        ended = next((e.report for e in effects if isinstance(e, CallEnded)), None)
        report = ended or self._tracker.preview(channel_id, at or 0.0)
        if report is not None:
            self._tell_changes(report)
        if ended is not None:
            self.lines.append(f"{'':10}  → over: {ended.disposition.value}")

    def _tell_changes(self, report: CallReport) -> None:
        after = _flatten(asdict(report))
        for name, value in after.items():
            if name not in _DULL and value != self._before.get(name):
                shown = json.dumps(value, ensure_ascii=False, default=str)
                self.lines.append(f"{'':10}    {name} = {shown}")
        self._before = after


def _describe(message: Message | None) -> str:
    if message is None:
        return "(nothing more is waited for)"
    told = [f"{name}: {message.get(name)}" for name in _TELLING if message.get(name)]
    return f"{message.name:<18} {', '.join(told)}"


def _flatten(report: dict[str, Any]) -> dict[str, Any]:
    leg_b = report.pop("leg_b") or {}
    return report | {f"leg_b.{name}": value for name, value in leg_b.items()}
