"""The store on SQLite: a file, one writer (group commit), a few readers, and one for searches.

Works for several processes on one machine; what another wrote is noticed by looking
(`on_foreign_change`).
"""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from dialer.cdr import Cdr
from dialer.errors import NotFound
from dialer.histories import CdrPage, CdrQuery, CdrRow, Project
from dialer.store import (
    attempts,
    audit_rows,
    clock_rows,
    config_rows,
    dead_letters,
    endings,
    foreign,
    ingest,
    outbox,
    queue_rows,
    reading,
    receivers,
    rows,
    tellings,
)
from dialer.store import contract as c
from dialer.store import tables as t
from dialer.store.claim import Claim
from dialer.store.engines import SEARCHERS, reading_engine, sqlite_url, writing_engine
from dialer.store.histories import Histories
from dialer.store.migrations import upgrade
from dialer.store.searches import Searches, one_state
from dialer.store.session import Future, Kind, Piece, as_failure
from dialer.store.wire_log import WireLog
from dialer.store.writer import Writer

R = TypeVar("R")

_SERVERS: Final = reading.prepare(config_rows.all_servers)
_KEYED_CLIENT: Final = reading.prepare(config_rows.keyed_client)
_QUEUE: Final = reading.prepare(reading.queue_by_id)
_LANES_OF: Final = reading.prepare(reading.lanes_of)
_WAITING: Final = reading.prepare(reading.waiting)
_DUE_RETRIES: Final = reading.prepare(reading.due_retries)
_NEXT_RETRY_AT: Final = reading.prepare(reading.next_retry_at)
_NEXT_DEADLINE: Final = reading.prepare(reading.next_deadline)
_DUE_DELIVERIES: Final = reading.prepare(outbox.due_deliveries)
_DUE_ENDPOINTS: Final = reading.prepare(outbox.due_endpoints)
_NEXT_DELIVERY_AT: Final = reading.prepare(outbox.next_delivery_at)
_CHANGED_SIGNING: Final = reading.prepare(receivers.changed_signing)
_GONE_CALLBACKS: Final = reading.prepare(receivers.gone_callbacks)

# How long a write may wait for company. A reservation never does: its Originate waits for it.
SETTLE_LINGER: Final = 0.002
RECORD_LINGER: Final = 0.05
LOOK_EVERY: Final = 0.25
# How long a change of very many items is waited for; `expire_items` does the rest.
PATIENCE: Final = 2.0
_SECRET_BYTES: Final = 32


class SqliteStore:
    """`dialer.store.contract.Store` on a SQLite file."""

    def __init__(
        self,
        url: str,
        settle_linger: float = SETTLE_LINGER,
        record_linger: float = RECORD_LINGER,
        look_every: float = LOOK_EVERY,
        patience: float = PATIENCE,
    ) -> None:
        self._url = sqlite_url(url)
        self._look_every, self._patience = look_every, patience
        path = Path(self._url.database or "")
        self._claim = Claim(path)
        self._wire_log = WireLog(path.with_name(path.name + ".wire"))
        self._changed: Callable[[], None] | None = None
        self._look_timer: asyncio.TimerHandle | None = None
        self._reserving = Kind(attempts.reserve)
        self._settling = Kind(attempts.settle, settle_linger)
        self._recording = Kind(outbox.record_outcomes, record_linger)
        self._withdrawing = Kind(attempts.withdraw, settle_linger)
        self._telling = Kind(tellings.tell, settle_linger)  # before the end of the same call
        ends = (self._settling, self._withdrawing, self._recording)
        kinds = (self._reserving, self._telling, *ends)
        self._writer = Writer(writing_engine(self._url), kinds, self._tell_changed)
        self._readers = reading_engine(self._url)
        self._searches = Searches(reading_engine(self._url, SEARCHERS), SEARCHERS)
        self._histories = Histories(self._fetch, self._searches.fetch)

    # Opening and closing.

    async def open(self) -> None:
        """Migrate the file (made where there is none) and start the writer."""
        await asyncio.to_thread(upgrade, self._url)
        await self._writer.start()
        for (kept,) in await self._fetch(config_rows.kept_secret()):
            self._secret = bytes.fromhex(kept)
            return  # nothing is written: operators look at databases that take no writes
        made = secrets.token_bytes(_SECRET_BYTES)
        self._secret = await self._run(lambda conn: config_rows.keep_secret(conn, made))

    async def close(self) -> None:
        """Write what waits, then let go of the file."""
        if self._look_timer is not None:
            self._look_timer.cancel()
        await self._writer.stop()
        await self._readers.dispose()
        await self._searches.close()
        self._wire_log.close()
        self._claim.release()

    async def claim(self) -> None:
        self._claim.take()
        found = await self._fetch(reading.open_channel_ids())
        self._wire_log.open(channel_id for (channel_id,) in found)

    def is_claimed(self) -> bool:
        return self._claim.is_held()

    @property
    def trouble(self) -> str | None:
        return self._writer.trouble

    async def own(self, server_ids: Sequence[int]) -> dict[int, int]:
        return await self._run(lambda conn: config_rows.own_servers(conn, server_ids))

    async def follow_clock(self, now: float, step: float) -> None:
        for pull_in in (clock_rows.pull_in_items, clock_rows.pull_in_deliveries):
            await self._page_through(partial(pull_in, now=now))
        if step > 0:
            for put_off in (clock_rows.put_off_items, clock_rows.put_off_deliveries):
                await self._page_through(partial(put_off, now=now, step=step))

    async def _page_through(self, piece: Callable[..., int | None]) -> None:
        """`piece(connection, after=id)` until it names no last id."""
        after: int | None = 0
        while after is not None:
            after = await self._run(Piece(partial(piece, after=after)))

    def on_foreign_change(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._look()

    def _look(self) -> None:
        self._writer.look()
        loop = asyncio.get_running_loop()
        self._look_timer = loop.call_later(self._look_every, self._look)

    def _tell_changed(self) -> None:
        if self._changed is not None:
            self._changed()

    def _run(self, fn: Callable[[Connection], R]) -> Awaitable[R]:
        return self._writer.run(fn)

    async def _fetch(self, query: Select[Any]) -> list[list[Any]]:
        try:
            async with self._readers.connect() as connection:
                return await reading.fetch_all(connection, query)
        except SQLAlchemyError as error:
            raise as_failure(error) from error

    async def _read(self, query: reading.Prepared, *values: object) -> list[list[Any]]:
        try:
            async with self._readers.connect() as connection:
                return await reading.fetch_prepared(connection, query, values)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise as_failure(error) from error

    async def _read_moment(self, query: reading.Prepared, *values: object) -> float | None:
        return rows.to_seconds_or_none((await self._read(query, *values))[0][0])

    async def _fetch_together(self, *queries: Select[Any]) -> list[list[list[Any]]]:
        """Several queries over one and the same state of the database."""
        async with one_state(self._readers) as connection:
            return [await reading.fetch_all(connection, query) for query in queries]

    def _run_kept(
        self, fn: Callable[[Connection], R], keep: Callable[[R], c.KeptAnswer] | None
    ) -> Awaitable[R]:
        """As `_run`; the answer that `keep` makes of the result is kept in the same transaction."""

        def change(connection: Connection) -> R:
            result = fn(connection)
            if keep is not None:
                kept = keep(result)
                ingest.keep_answer(connection, kept.client_id, kept.key, kept.answer)
            return result

        return self._run(change)

    async def _fetch_number(self, query: Select[Any]) -> int | None:
        """The single value of the single row, where there is one."""
        for (value,) in await self._fetch(query):
            return int(value) if value is not None else None
        return None

    # Configuration.

    async def servers(self) -> tuple[c.Server, ...]:
        found = map(rows.read_server, await self._read(_SERVERS))
        return tuple(server for server in found if not server.removed)

    async def add_server(self, server: c.Server, now: float, by: str | None = None) -> c.Server:
        return await self._run(lambda conn: config_rows.add_server(conn, server, now, by))

    async def change_server(
        self, code: str, changes: dict[str, Any], now: float, by: str | None = None
    ) -> c.Server:
        return await self._run(lambda conn: config_rows.change_server(conn, code, changes, now, by))

    async def clients(self) -> tuple[c.Client, ...]:
        return tuple(map(rows.read_client, await self._fetch(config_rows.all_clients())))

    async def client(self, accountcode: str) -> c.Client:
        condition = t.clients.c.accountcode == accountcode
        for raw in await self._fetch(config_rows.client_by(condition)):
            return rows.read_client(raw)
        raise NotFound(f"there is no client {accountcode}")

    async def add_client(
        self,
        client: c.Client,
        key: c.StoredKey,
        now: float,
        by: str | None = None,
        keep: Callable[[c.Client], c.KeptAnswer] | None = None,
    ) -> c.Client:
        return await self._run_kept(
            lambda conn: config_rows.add_client(conn, client, key, now, by), keep
        )

    async def change_client(
        self, accountcode: str, changes: dict[str, Any], now: float, by: str | None = None
    ) -> c.Client:
        return await self._run(
            lambda conn: config_rows.change_client(conn, accountcode, changes, now, by)
        )

    async def allocate(
        self, accountcode: str, codes: Sequence[str], now: float, by: str | None = None
    ) -> c.Client:
        return await self._run(lambda conn: config_rows.allocate(conn, accountcode, codes, now, by))

    async def replace_key(
        self,
        client_id: int,
        key: c.StoredKey | None,
        now: float,
        by: str | None = None,
        keep: Callable[[c.Client], c.KeptAnswer] | None = None,
    ) -> c.Client:
        return await self._run_kept(
            lambda conn: config_rows.replace_key(conn, client_id, key, now, by), keep
        )

    async def client_by_key(self, lookup: str) -> tuple[c.Client, c.StoredKey] | None:
        for digest, *raw in await self._read(_KEYED_CLIENT, lookup):
            return rows.read_client(raw), c.StoredKey(lookup, digest)
        return None

    async def installation_secret(self) -> bytes:
        return self._secret

    # Ingest.

    async def insert_batch(self, batch: c.NewBatch) -> c.BatchStored:
        return await self._run(lambda conn: ingest.insert_batch(conn, batch))

    async def stored_batch(
        self, client_id: int, batch_id: int, digest: str
    ) -> c.BatchStored | None:
        for queue_id, count in await self._fetch(ingest.known_batch(client_id, batch_id, digest)):
            return c.BatchStored(queue_id, batch_id, count, replayed=True)
        return None

    async def insert_quick_call(
        self,
        client_id: int,
        item: c.NewItem,
        now: float,
        keep: Callable[[int], c.KeptAnswer] | None = None,
        by: str | None = None,
    ) -> int:
        return await self._run_kept(
            lambda conn: ingest.insert_quick_call(conn, client_id, item, now, by), keep
        )

    async def idempotent_answer(self, client_id: int, key: str) -> c.IdempotentAnswer | None:
        for digest, status, body, at in await self._fetch(ingest.kept_answer(client_id, key)):
            return c.IdempotentAnswer(digest, status, body, rows.to_seconds(at))
        return None

    async def keep_answer(self, client_id: int, key: str, answer: c.IdempotentAnswer) -> None:
        await self._run(lambda conn: ingest.keep_answer(conn, client_id, key, answer))

    # Queues.

    async def queues(
        self, client_id: int | None, offset: int, limit: int, filters: dict[str, Any] | None = None
    ) -> c.Page[c.Queue]:
        conditions = reading.queue_conditions(client_id, filters)
        page = reading.page_of_queues(conditions, offset, limit)
        count = select(func.count(t.queues.c.id)).where(*conditions)
        if filters or offset > reading.NEAR:
            found, counted = await self._searches.fetch(client_id or 0, page, count)
        else:
            found, counted = await self._fetch_together(page, count)
        return c.Page(tuple(map(rows.read_queue, found)), counted[0][0])

    async def queue(self, queue_id: int, client_id: int | None) -> c.Queue:
        for queue in map(rows.read_queue, await self._read(_QUEUE, queue_id)):
            if client_id in (None, queue.client_id):
                return queue
        raise NotFound("Queue not found")

    async def items(
        self, queue_id: int, offset: int, limit: int, filters: dict[str, Any] | None = None
    ) -> c.Page[c.Item]:
        conditions = reading.item_conditions(queue_id, filters)
        owner = (await self.queue(queue_id, None)).client_id
        page = reading.page_of_items(conditions, offset, limit)
        known = reading.known_total(queue_id, filters or {})
        if known is None:
            found, total = await self._searches.fetch_page(owner, conditions, offset, limit)
        else:
            is_near = not filters and offset <= reading.NEAR
            read = self._fetch_together if is_near else partial(self._searches.fetch, owner)
            found, ((total,),) = await read(page, known)
        return c.Page(tuple(map(rows.read_item, found)), total)

    async def change_queue(
        self,
        queue_id: int,
        changes: dict[str, Any],
        close: c.CloseItem,
        now: float,
        by: str | None = None,
    ) -> c.Queue:
        def change(conn: Connection) -> bool:
            marked = queue_rows.change_queue(conn, queue_id, changes, now, by)
            return marked and endings.go_on(conn, queue_id, close, now)

        if await self._run(change):
            await self._go_on([queue_id], close, now)
        return await self.queue(queue_id, None)

    async def flush(
        self, client_id: int, close: c.CloseItem, now: float, by: str | None = None
    ) -> int:
        waiting = await self._run(lambda conn: queue_rows.mark_all(conn, client_id, now, by))
        await self._go_on(waiting, close, now)
        return sum(waiting.values())

    async def _go_on(self, queue_ids: Iterable[int], close: c.CloseItem, now: float) -> None:
        """Do what these queues' marks name, a piece a transaction: other writes get their turn.
        What is not done in time is left to `expire_items`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        for queue_id in queue_ids:
            piece = Piece(partial(endings.go_on, queue_id=queue_id, close=close, now=now))
            while loop.time() < until and await self._run(piece):
                pass

    # The worker.

    async def snapshot(self) -> c.Snapshot:
        servers, clients, queues, lanes = await self._fetch_together(
            config_rows.all_servers(),
            config_rows.all_clients(),
            reading.open_queues(),
            reading.open_lanes(),
        )
        return c.Snapshot(
            tuple(map(rows.read_server, servers)),
            tuple(map(rows.read_client, clients)),
            tuple(map(rows.read_queue, queues)),
            tuple((raw[0], raw[1]) for raw in lanes),
        )

    async def queue_lanes(self, queue_id: int) -> tuple[c.Queue, tuple[int, ...]]:
        lanes = await self._read(_LANES_OF, queue_id)
        return await self.queue(queue_id, None), tuple(raw[0] for raw in lanes)

    async def waiting(
        self, queue_id: int, server_id: int, after_id: int, limit: int
    ) -> tuple[c.Candidate, ...]:
        found = await self._read(_WAITING, queue_id, server_id, after_id, limit)
        return tuple(map(rows.read_candidate, found))

    async def due_retries(
        self, queue_id: int, server_id: int, now: float, limit: int
    ) -> tuple[c.Candidate, ...]:
        found = await self._read(_DUE_RETRIES, queue_id, server_id, rows.to_micros(now), limit)
        return tuple(map(rows.read_candidate, found))

    async def next_retry_at(
        self, queue_id: int, server_id: int, after: float = 0.0
    ) -> float | None:
        return await self._read_moment(_NEXT_RETRY_AT, queue_id, server_id, rows.to_micros(after))

    async def next_deadline(self) -> float | None:
        """0.0 while a change is unfinished (`expire_items` goes on with it)."""
        deadline, marked = (await self._read(_NEXT_DEADLINE))[0]
        return 0.0 if marked else rows.to_seconds_or_none(deadline)

    async def expire_items(self, now: float, limit: int, close: c.CloseItem) -> int:
        expire = partial(endings.expire_items, now=now, limit=limit, close=close)
        return await self._run(Piece(expire))

    def reserve(self, reservation: c.Reservation) -> Awaitable[bool]:
        return self._writer.write(self._reserving, reservation)

    def settle(self, settlement: c.Settlement) -> Awaitable[tuple[c.Delivery, ...]]:
        return self._forgetting(self._writer.write(self._settling, settlement), settlement)

    def withdraw(self, withdrawal: c.Withdrawal) -> Awaitable[tuple[c.Delivery, ...]]:
        return self._forgetting(self._writer.write(self._withdrawing, withdrawal), withdrawal)

    def tell(self, telling: c.Telling) -> Awaitable[tuple[c.Delivery, ...]]:
        return self._writer.write(self._telling, telling)

    def _forgetting(self, written: Future, write: c.Settlement | c.Withdrawal) -> Future:
        """`written`, after which nothing need be known of the attempt beyond the database."""

        def forget(done: Future) -> None:
            if not done.cancelled() and done.exception() is None:
                self._wire_log.forget(write.channel_id)

        written.add_done_callback(forget)
        return written

    def note_sent(self, channel_id: str) -> None:
        self._wire_log.note_sent(channel_id)

    def note_unsent(self, channel_id: str) -> None:
        self._wire_log.note_unsent(channel_id)

    def note_answered(self, channel_id: str, at: float) -> None:
        self._wire_log.note_answered(channel_id, at)

    async def open_attempts(self) -> tuple[c.OpenAttempt, ...]:
        found = map(rows.read_open_attempt, await self._fetch(reading.open_attempts()))
        log = self._wire_log
        return tuple(
            replace(
                attempt,
                unsent=not log.is_sent(attempt.channel_id),
                answered_at=log.answered_at(attempt.channel_id),
            )
            for attempt in found
        )

    async def recent_starts(self, since: float) -> tuple[c.RecentStart, ...]:
        found = await self._fetch(reading.recent_starts(since))
        return tuple(
            c.RecentStart(server, client, rows.to_seconds(at)) for server, client, at in found
        )

    # The outbox.

    def record_delivery(self, outcome: c.DeliveryOutcome) -> Awaitable[bool]:
        return self._writer.write(self._recording, outcome)

    async def due_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int
    ) -> tuple[c.Delivery, ...]:
        found = await self._read(_DUE_DELIVERIES, endpoint, rows.to_micros(now), after_id, limit)
        return tuple(map(rows.read_delivery, found))

    async def due_endpoints(self, now: float) -> tuple[str, ...]:
        return tuple(raw[0] for raw in await self._read(_DUE_ENDPOINTS, rows.to_micros(now)))

    async def next_delivery_at(self, after: float = 0.0) -> float | None:
        return await self._read_moment(_NEXT_DELIVERY_AT, rows.to_micros(after))

    async def deliveries(
        self, wanted: c.DeliveryFilter, limit: int
    ) -> tuple[c.DeliveryRecord, ...]:
        found = await self._fetch(dead_letters.list_deliveries(wanted, limit))
        return tuple(map(rows.read_delivery_record, found))

    async def retry_deliveries(self, wanted: c.DeliveryFilter, now: float, by: str) -> int:
        ids = await self._run(lambda conn: dead_letters.find_dead(conn, wanted, now, by))
        count = 0
        for piece in dead_letters.cut_ids(ids):
            count += await self._send_again(piece, now)
        return count

    async def _send_again(self, ids: list[int], now: float) -> int:
        return await self._run(lambda conn: dead_letters.send_again(conn, ids, now))

    async def add_foreign_cdr(
        self,
        cdr: c.ForeignCdr,
        forward: c.Forward | None,
        keep: Callable[[], c.KeptAnswer] | None = None,
        by: str | None = None,
    ) -> tuple[c.Delivery, ...]:
        kept = None if keep is None else (lambda _: keep())
        return await self._run_kept(lambda conn: foreign.add(conn, cdr, forward, by), kept)

    async def forward_unsent(self, forwards: c.Forwards | None, now: float, limit: int) -> int:
        return await self._run(lambda conn: foreign.forward_unsent(conn, forwards, now, limit))

    async def sgapi_task(self, client_id: int, uuid: str) -> c.SgapiTask | None:
        for raw in await self._fetch(foreign.foreign_task(client_id, uuid)):
            return foreign.read_foreign_task(raw)
        for raw in await self._fetch(foreign.own_task(client_id, uuid)):
            return foreign.read_own_task(raw)
        return None

    async def receivers(self) -> c.Receivers:
        signing = await self._read(_CHANGED_SIGNING)
        return receivers.read_receivers(signing, await self._read(_GONE_CALLBACKS))

    async def rotate_signing(
        self,
        client_id: int,
        grace_until: float | None,
        now: float,
        by: str,
        keep: Callable[[c.Signing], c.KeptAnswer] | None = None,
    ) -> c.Signing:
        return await self._run_kept(
            lambda conn: receivers.rotate_signing(conn, client_id, grace_until, now, by), keep
        )

    # Reading back.

    async def cdrs(
        self, client_id: int | None, after_id: int, limit: int
    ) -> tuple[tuple[int, Cdr], ...]:
        found = await self._fetch(reading.cdrs(client_id, after_id, limit))
        return tuple((id_, rows.load_cdr(record)) for id_, record in found)

    async def cdr_page(
        self,
        query: CdrQuery,
        limit: int,
        *,
        after: int | None = None,
        offset: int = 0,
        count: bool = True,
    ) -> CdrPage:
        return await self._histories.page(query, limit, after, offset, count)

    def cdr_stream(
        self, query: CdrQuery, *, after: int | None = None
    ) -> AsyncIterator[tuple[CdrRow, ...]]:
        return self._histories.stream(query, after)

    async def projects(self, client_id: int) -> tuple[Project, ...]:
        return await self._histories.projects(client_id)

    async def audit(self, limit: int) -> tuple[c.AuditEntry, ...]:
        return tuple(map(audit_rows.read_entry, await self._fetch(audit_rows.latest(limit))))

    async def totals(self) -> c.Totals:
        counts = (await self._fetch(reading.item_counts()))[0]
        tallies = await self._fetch(select(t.tallies.c.name, t.tallies.c.value))
        return reading.read_totals(counts, tallies)

    async def activity(self, now: float) -> c.Activity:
        by_server = await self._fetch(reading.live_calls("server_id"))
        by_client = await self._fetch(reading.live_calls("client_id"))
        recent = await self._fetch_number(reading.attempts_since(now - 60.0))
        return c.Activity(_pairs(by_server), _pairs(by_client), recent or 0)

    async def put_runtime(self, values: dict[str, Any], now: float) -> None:
        await self._run(lambda conn: config_rows.put_runtime(conn, values, now))

    async def runtime(self) -> dict[str, c.RuntimeNote]:
        found = await self._fetch(select(t.runtime.c.name, t.runtime.c.value, t.runtime.c.at))
        return {name: c.RuntimeNote(value, rows.to_seconds(at)) for name, value, at in found}


def _pairs(found: list[list[Any]]) -> dict[int, int]:
    return {raw[0]: raw[1] for raw in found}
