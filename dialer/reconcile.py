"""What became of calls whose end was not seen, by comparing them with Asterisk's list of channels.

Calls that ended while the link was down leave no trace in AMI, and an Originate that was just
written may not be in the next list yet (docs/ami-notes.md). So a call is taken for ended
only when two lists of a healthy link, at least `CONFIRM` seconds apart, both lack it; at once when
Asterisk was restarted, for then nothing of it can be left.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

CONFIRM = 5.0
"""Seconds between the two lists."""

SETTLING = 2.0
"""Seconds after an Originate in which its absence from a list means nothing."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that we hold to be live. Times are monotonic seconds."""

    channel_id: str
    sent_at: float


@dataclass(frozen=True, slots=True)
class Findings:
    """`live`: still there. `gone`: nothing is left of them. `look_again_at`: when to ask for the
    list that confirms the rest (None: nothing is open)."""

    live: tuple[str, ...]
    gone: tuple[str, ...]
    look_again_at: float | None


@dataclass(slots=True)
class Reconciler:
    """Remembers since when a call was missing, for one server."""

    _missing: dict[str, float] = field(default_factory=dict)

    def compare(
        self,
        calls: Iterable[OpenCall],
        present: frozenset[str],
        asked_at: float,
        *,
        restarted_at: float | None = None,
    ) -> Findings:
        """Compare open calls with the ids (Uniqueid and Linkedid) of a list asked for `asked_at`.

        `restarted_at`: Asterisk was found restarted then; what was sent before is over.
        """
        live: list[str] = []
        gone: list[str] = []
        waiting: dict[str, float] = {}
        for call in calls:
            if call.channel_id in present:
                live.append(call.channel_id)
            elif restarted_at is not None and call.sent_at < restarted_at:
                gone.append(call.channel_id)
            elif call.sent_at + SETTLING <= asked_at:
                since = self._missing.get(call.channel_id, asked_at)
                if asked_at - since >= CONFIRM:
                    gone.append(call.channel_id)
                else:
                    waiting[call.channel_id] = since
        self._missing = waiting
        again = min(waiting.values()) + CONFIRM if waiting else None
        return Findings(tuple(live), tuple(gone), again)

    def link_lost(self) -> None:
        """What was missing before the link went down proves nothing after it."""
        self._missing.clear()
