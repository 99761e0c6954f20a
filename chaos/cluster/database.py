"""Reads the dialer's PostgreSQL past every route, as its owner: what the campaign waits for, and
what the checker wants to know."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import asyncpg

from chaos.cluster.servers import PostgreSql
from chaos.faults.clock import HOUR, find_disorder
from chaos.records import Attempt, CdrRow, Item, Rows

UNFINISHED: Final[Mapping[str, str]] = {
    "items": "SELECT count(*) FROM items WHERE status NOT IN ('processed', 'terminated')",
    "attempts": "SELECT count(*) FROM attempts WHERE ended_at IS NULL",
    "deliveries": "SELECT count(*) FROM deliveries WHERE state NOT IN ('delivered', 'dead')",
}
"""What is not at its end, by name."""

LEFT: Final[Mapping[str, str]] = {
    **UNFINISHED,
    "items counted by their queues as not ended": (
        "SELECT coalesce(sum(pending_count + queued_count), 0) FROM queues"
    ),
    "dead letters": "SELECT count(*) FROM deliveries WHERE state = 'dead'",
}

WAITING: Final = (
    "SELECT c.accountcode, coalesce(sum(q.pending_count), 0) AS waiting FROM clients c "
    "LEFT JOIN queues q ON q.client_id = c.id GROUP BY c.accountcode"
)

ATTEMPTS: Final = (
    "SELECT a.item_id, i.number, a.channel_id, a.cdr_id, "
    "CASE WHEN a.ended_at IS NULL THEN 'open' ELSE 'ended' END AS state, "
    "s.code, a.opened_at, a.ended_at "
    "FROM attempts a JOIN items i ON i.id = a.item_id JOIN servers s ON s.id = a.server_id"
)

CDRS: Final = (
    "SELECT c.cdr_id, a.channel_id, i.number, c.disposition, c.final, c.record FROM cdrs c "
    "JOIN attempts a ON a.id = c.attempt_id JOIN items i ON i.id = c.item_id"
)

_MICRO: Final = 1e6

GONE: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    TimeoutError,
)
"""What asking raises while PostgreSQL is away; the last but one, when it went in the midst of an
answer."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When an attempt was open, on disk: epoch seconds."""

    server: str
    opened_at: float
    ended_at: float


def set_right(life: Lifetime, since: float, until: float) -> Lifetime:
    """By a clock that is right: it was between `since` and `until`, which are less than an hour
    apart, and the clocks of some workers were an hour wrong."""
    return replace(
        life,
        opened_at=_set_right(life.opened_at, since, until),
        ended_at=_set_right(life.ended_at, since, until),
    )


def _set_right(at: float, since: float, until: float) -> float:
    if at == inf:
        return at
    return min((at, at - HOUR, at + HOUR), key=lambda each: max(since - each, each - until))


@dataclass(frozen=True, slots=True)
class Stored:
    """`lifetimes` by ChannelId in lower case; `reasons`: what the CDRs of unknown calls say;
    `disorders`: what is wrong with the times of CDRs, once for each."""

    rows: Rows
    lifetimes: Mapping[str, Lifetime]
    reasons: tuple[str, ...]
    disorders: tuple[str, ...]


class Reader:
    """One session, made anew whenever it was lost."""

    def __init__(self, server: PostgreSql) -> None:
        self._server = server
        self._session: asyncpg.Connection[asyncpg.Record] | None = None

    async def close(self) -> None:
        if self._session is not None:
            self._session.terminate()

    async def fetch(self, query: str) -> "list[asyncpg.Record]":
        """Raises one of `GONE`."""
        if self._session is None or self._session.is_closed():
            self._session = await self._server.connect("postgres")
        try:
            found: list[asyncpg.Record] = await self._session.fetch(query)
        except GONE:
            self._session.terminate()
            self._session = None
            raise
        return found

    async def count_unfinished(self, *names: str) -> dict[str, int]:
        """Of `names` those of which something is left."""
        counts = {name: int((await self.fetch(UNFINISHED[name]))[0][0]) for name in names}
        return {name: count for name, count in counts.items() if count}

    async def count_waiting(self) -> dict[str, int]:
        """Items that wait, by accountcode."""
        return {row["accountcode"]: int(row["waiting"]) for row in await self.fetch(WAITING)}

    async def read(self) -> Stored:
        """Everything, at the end."""
        items = await self.fetch("SELECT id, number, status, attempts FROM items")
        attempts = await self.fetch(ATTEMPTS)
        cdrs = await self.fetch(CDRS)
        held = {name: int((await self.fetch(query))[0][0]) for name, query in LEFT.items()}
        rows = Rows(
            items=tuple(Item(*row) for row in items),
            attempts=tuple(Attempt(*tuple(row)[:5]) for row in attempts),
            cdrs=tuple(CdrRow(*tuple(row)[:5]) for row in cdrs),
            held=held,
        )
        lifetimes = {
            row["channel_id"].lower(): Lifetime(
                row["code"],
                row["opened_at"] / _MICRO,
                inf if row["ended_at"] is None else row["ended_at"] / _MICRO,
            )
            for row in attempts
        }
        records = [json.loads(row["record"]) for row in cdrs]
        return Stored(
            rows,
            lifetimes,
            tuple(r["error_message"] or "" for r in records if r["disposition"] == "unknown"),
            tuple(wrong for record in records for wrong in find_disorder(record)),
        )
