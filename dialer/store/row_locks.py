"""What a transaction locks before it looks at anything, on PostgreSQL.

Several workers, APIs and deliverers write at once. A transaction first takes, in one order for all,
the rows that its decisions rest on: servers (their fences) and clients shared, queues alone. So
`own`, a pause, a flush, a revoked key are wholly before it or wholly after it, and nobody waits for
who waits for him. What it reads afterwards stays as it is until it commits. SQLite has one writer:
there all of this is nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import BigInteger, Connection, literal_column, select, text

from dialer.store.bulk import driver_cursor
from dialer.store.contract import Reservation, Settlement, Telling, Withdrawal
from dialer.store.dialect import Cursor, both, is_sqlite
from dialer.store.rows import dump_json

# Where the attempts of these ChannelIds belong: that of an attempt never changes.
PLACES: Final = """
SELECT DISTINCT server_id, queue_id FROM attempts
WHERE lower(channel_id) IN (SELECT lower(name) FROM unnest($1::text[]) AS each (name))
"""


@dataclass(slots=True)
class Locks:
    """Ids of the rows to be taken."""

    servers: set[int] = field(default_factory=set)
    clients: set[int] = field(default_factory=set)
    queues: set[int] = field(default_factory=set)

    def say(self) -> str:
        """The statements, one after another; '' for none."""
        taken = (
            ("servers", self.servers, "SHARE"),
            ("clients", self.clients, "SHARE"),
            ("queues", self.queues, "NO KEY UPDATE"),
        )
        return "".join(
            f";SELECT 1 FROM {table} WHERE id IN ({_list(ids)}) ORDER BY id FOR {how}"  # noqa: S608
            for table, ids, how in taken
            if ids
        )


def _list(ids: Iterable[int]) -> str:
    return ",".join(str(int(id_)) for id_ in sorted(ids))


def find_locks(writes: Iterable[object]) -> tuple[Locks, list[str]]:
    """What these writes need, and the ChannelIds of attempts whose places have yet to be found."""
    locks = Locks()
    channel_ids: list[str] = []
    for write in writes:
        if isinstance(write, Reservation):
            locks.servers.add(write.server_id)
            locks.clients.add(write.client_id)
            locks.queues.add(write.queue_id)
        elif isinstance(write, Settlement | Withdrawal | Telling):
            channel_ids.append(write.channel_id)
    return locks, channel_ids


def add_places(locks: Locks, places: Iterable[Sequence[int]]) -> None:
    """With the rows that `PLACES` answered."""
    for server_id, queue_id in places:
        locks.servers.add(server_id)
        locks.queues.add(queue_id)


_HOLD: Final = {
    table: both(f"SELECT id FROM {table} WHERE id IN @numbers(?) ORDER BY id FOR NO KEY UPDATE")  # noqa: S608
    for table in ("queues", "deliveries")
}
_HOLD_NAME: Final = both("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))")
# Behind them the last id that anybody was given: this transaction's will be larger.
_HOLD_CLIENTS: Final = both("""
SELECT pg_advisory_xact_lock(72433, id) FROM (
  SELECT (value % 2147483647)::integer AS id FROM @numbers(?) AS wanted ORDER BY value) AS held
UNION ALL SELECT pg_advisory_xact_lock_shared(72434, (last_value % 2147483648)::integer)
FROM cdrs_id_seq
""")

# What `find_settled` goes by, in this order, in two statements: who takes a lock behind the second
# gets ids behind what the first told.
NEWEST_CDR: Final = select(literal_column("last_value", BigInteger)).select_from(
    text("cdrs_id_seq")
)
UNSETTLED: Final = select(literal_column("objid::bigint", BigInteger)).select_from(
    text(
        "pg_locks WHERE locktype = 'advisory' AND classid = 72434 AND objsubid = 2 AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
)
_WRAP: Final = 2**31


def hold_queues(connection: Connection, queue_ids: Iterable[int]) -> None:
    """Nobody else changes these queues, or what becomes of their items, before this transaction is
    over."""
    hold_rows(driver_cursor(connection), "queues", queue_ids)


def hold_rows(cursor: Cursor, table: str, ids: Iterable[int]) -> None:
    if not is_sqlite(cursor):
        _HOLD[table].run(cursor, dump_json(sorted(set(ids))))


def hold_name(connection: Connection, *words: object) -> None:
    """Nobody else does what these words mean before this transaction is over: for rows that are not
    there yet."""
    cursor = driver_cursor(connection)
    if not is_sqlite(cursor):
        _HOLD_NAME.run(cursor, " ".join(map(str, words)))


def hold_histories(cursor: Cursor, client_ids: Iterable[int]) -> None:
    """CDRs of these clients are written by nobody else: their ids grow in the order of commits.
    Those of other clients are written meanwhile; others see from which id on there may be more."""
    if not is_sqlite(cursor):
        _HOLD_CLIENTS.run(cursor, dump_json(sorted(set(client_ids))))


def find_settled(last: int, held: Iterable[int]) -> int:
    """The id up to which no CDR will come any more, of any client: `last`, the newest id that was
    given, or what one who writes holds (its lowest 31 bits), whose ids are larger than that."""
    behind = ((last - key) % _WRAP for key in held)
    # Half a wrap ahead is no wrap: it was taken after `last` was read.
    return last - max((steps for steps in behind if steps < _WRAP // 2), default=0)
