"""When calls were answered, on PostgreSQL: told to the database for whoever owns a server next.

A worker knows it at once (`dialer.store.wire_log`), and needs nobody's help as long as it lives. If
its machine dies, the next owner has to know that a call that ended between the two was answered.
So it is written lazily: what came in within some time at once, with a group's commit that writes
other things as well, and nothing of a call that has ended by then.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from dialer.store.bulk import Row, run_with_rows
from dialer.store.deltas import Deltas
from dialer.store.dialect import Cursor, Sql, relation
from dialer.store.rows import to_micros
from dialer.store.session import Future

NOTE_EVERY: Final = 0.05
"""Seconds in which answers gather to one write."""

NOTE_LINGER: Final = 0.2
"""Seconds that this waits for a commit that writes other things as well: 0.25 s after it was known
an answer is on its way to the disk at the latest."""

Answer = tuple[str, float]
"""A ChannelId and when it was answered."""

_ANSWERED: Final = relation(channel_id="text", at="bigint")
# It waits for nobody: whoever holds one of the rows is ending its attempt, or notes the same later.
_NOTE: Final = Sql(
    "",
    """
UPDATE attempts SET answered_at = open.at FROM (
  SELECT a.id, r.at FROM {rows} JOIN attempts a ON lower(a.channel_id) = lower(r.channel_id)
  WHERE a.state = 'open' FOR UPDATE OF a SKIP LOCKED) AS open
WHERE attempts.id = open.id
""",
)


def note_answers(cursor: Cursor, answers: Sequence[Sequence[Answer]], _: Deltas) -> list[None]:
    """Each of `answers` is what gathered in some time."""
    rows: list[Row] = [(name, to_micros(at)) for some in answers for name, at in some]
    run_with_rows(cursor, _NOTE, _ANSWERED, rows)
    return [None] * len(answers)


class Answers:
    """What gathers. `answered_at` tells when a call that goes on was answered, None of one that has
    ended; `write` writes several answers."""

    def __init__(
        self,
        answered_at: Callable[[str], float | None],
        write: Callable[[Sequence[Answer]], Future],
    ) -> None:
        self._answered_at, self._write = answered_at, write
        self._waiting: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def note(self, channel_id: str) -> None:
        self._waiting.add(channel_id)
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(NOTE_EVERY, self.flush)

    def close(self) -> None:
        """Write what has gathered, and take no more."""
        self._closed = True
        self.flush()

    def flush(self) -> None:
        """Write what has gathered. What cannot be written now is written later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        names, self._waiting = self._waiting, set()
        found = [(name, at) for name in names if (at := self._answered_at(name)) is not None]
        if found:
            self._write(found).add_done_callback(lambda done: self._written(names, done))

    def _written(self, names: set[str], done: Future) -> None:
        if done.cancelled() or done.exception() is not None:
            for name in names:
                self.note(name)
