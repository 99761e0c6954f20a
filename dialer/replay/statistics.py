"""What a trace holds, in figures."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ami.trace import GAP, LINK, Direction, Piece, Record, read_note, split_records
from dialer.replay.follower import Follower, TracedCall

# Interruptions that are kept one by one; more are counted.
_LISTED: Final = 50


@dataclass(slots=True)
class Statistics:
    """Figures of one session. Times are epoch seconds, None in a trace without a clock.

    `messages`: how often each came, by `Event NAME`, `Response WORD`, `Action NAME`. `calls`: those
    that were originated over AMI by disposition; `partial` of which the trace holds a part;
    `others` that nobody originated; `probes`: looks of `servers check`, which are no calls.
    `interruptions`: when and why the stream was not whole.
    `silence`: the longest time between two records, and when it began.
    """

    begun_at: float | None = None
    ended_at: float | None = None
    received_bytes: int = 0
    sent_bytes: int = 0
    logins: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    partial: int = 0
    others: int = 0
    probes: int = 0
    interruptions: list[tuple[float | None, str]] = field(default_factory=list)
    interrupted: int = 0
    silence: tuple[float, float] = (0.0, 0.0)

    def count_record(self, record: Record) -> None:
        """Take in a record's bytes, time and note."""
        if record.direction is Direction.RECEIVED:
            self.received_bytes += len(record.data)
        elif record.direction is Direction.SENT:
            self.sent_bytes += len(record.data)
        else:
            self._count_note(record)
        if record.at is None:
            return
        if self.ended_at is not None:
            self.silence = max(self.silence, (record.at - self.ended_at, self.ended_at))
        self.begun_at = record.at if self.begun_at is None else self.begun_at
        self.ended_at = max(record.at, self.ended_at or record.at)

    def _count_note(self, record: Record) -> None:
        note = read_note(record)
        if note.get(LINK) == "down":
            text = f"link down: {note.get('why', 'no reason')}"
        elif isinstance(gap := note.get(GAP), dict):
            text = f"{gap.get('bytes', '?')} bytes missing: {gap.get('why', 'no reason')}"
        else:
            return
        self.interrupted += 1
        if len(self.interruptions) < _LISTED:
            self.interruptions.append((record.at, text))

    def count_piece(self, piece: Piece) -> None:
        """Take in what was said."""
        if piece.message is None:
            self.logins += piece.direction is Direction.RECEIVED
            return
        sent = piece.direction is Direction.SENT
        kind = "Action" if sent else piece.message.kind.value.capitalize()
        self.messages[f"{kind} {piece.message.name}"] += 1

    def count_call(self, call: TracedCall) -> None:
        """Take in a call that is over."""
        if call.of_nobody:
            self.others += 1
        elif call.origin is not None and call.origin.is_probe:
            self.probes += 1
        elif call.report is None:
            self.partial += 1
        else:
            self.calls[call.report.disposition.value] += 1


def collect_statistics(records: Iterable[Record]) -> Statistics:
    """Read a session to its end."""
    statistics, follower = Statistics(), Follower()

    def follow() -> Iterator[Record]:
        for record in records:
            statistics.count_record(record)
            for call in follower.feed(record):
                statistics.count_call(call)
            yield record

    for piece in split_records(follow()):
        statistics.count_piece(piece)
    for call in follower.finish():
        statistics.count_call(call)
    return statistics
