"""The store's methods as far as they are the same on every database."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, func, select

from dialer.cdr import Cdr
from dialer.errors import NotFound
from dialer.histories import CdrPage, CdrQuery, CdrRow, Project
from dialer.store import (
    attempts,
    clock_rows,
    config_rows,
    dead_letters,
    endings,
    foreign,
    ingest,
    outbox,
    queue_rows,
    reading,
    rows,
    tellings,
)
from dialer.store import contract as c
from dialer.store import tables as t
from dialer.store.access import Topic
from dialer.store.configuration import Configuration
from dialer.store.group_writes import Kind
from dialer.store.session import Future, Piece
from dialer.store.wire_log import WireLog
from dialer.store.wire_marks import WireMarks

_QUEUE: Final = reading.prepare(reading.queue_by_id)
_LANES_OF: Final = reading.prepare(reading.lanes_of)
_WAITING: Final = reading.prepare(reading.waiting)
_DUE_RETRIES: Final = reading.prepare(reading.due_retries)
_NEXT_RETRY_AT: Final = reading.prepare(reading.next_retry_at)
_NEXT_DEADLINE: Final = reading.prepare(reading.next_deadline)
_DUE_DELIVERIES: Final = reading.prepare(outbox.due_deliveries)
_DUE_ENDPOINTS: Final = reading.prepare(outbox.due_endpoints)
_NEXT_DELIVERY_AT: Final = reading.prepare(outbox.next_delivery_at)


# How long a write may wait for company.
SETTLE_LINGER: Final = 0.002
RECORD_LINGER: Final = 0.05
PATIENCE: Final = 2.0
_SECRET_BYTES: Final = 32


class SqlStore(Configuration):
    """`dialer.store.contract.Store` but for opening, closing, claiming and waking. Lingers are the
    seconds that a write may wait for company (a reservation never does: its Originate waits for
    it); `patience`: how long a change of very many items is waited for, `expire_items` does the
    rest."""

    def __init__(
        self, wire_log: WireLog, settle_linger: float, record_linger: float, patience: float
    ) -> None:
        self._wire_log, self._patience = wire_log, patience
        self._wire_marks = WireMarks(self._fetch, lambda fn: self._run(fn, None))
        self._reserving = Kind(attempts.reserve)
        self._settling = Kind(attempts.settle, settle_linger)
        self._recording = Kind(outbox.record_outcomes, record_linger)
        self._withdrawing = Kind(attempts.withdraw, settle_linger)
        self._telling = Kind(tellings.tell, settle_linger)  # before the end of the same call
        ends = (self._settling, self._withdrawing, self._recording)
        self._kinds: tuple[Kind, ...] = (self._reserving, self._telling, *ends)

    async def installation_secret(self) -> bytes:
        return self._secret

    async def _load_secret(self) -> None:
        for (kept,) in await self._fetch(config_rows.kept_secret()):
            self._secret = bytes.fromhex(kept)
            return  # nothing is written: operators look at databases that take no writes
        made = secrets.token_bytes(_SECRET_BYTES)
        self._secret = await self._run(lambda conn: config_rows.keep_secret(conn, made))

    async def follow_clock(self, now: float, step: float) -> None:
        for pull_in in (clock_rows.pull_in_items, clock_rows.pull_in_deliveries):
            await self._page_through(partial(pull_in, now=now))
        if step > 0:
            for put_off in (clock_rows.put_off_items, clock_rows.put_off_deliveries):
                await self._page_through(partial(put_off, now=now, step=step))

    async def read_clock(self) -> float:
        ((now,),) = await self._fetch(clock_rows.read_clock())
        return float(now)

    async def _page_through(self, piece: Callable[..., int | None]) -> None:
        """`piece(connection, after=id)` until it names no last id."""
        after: int | None = 0
        while after is not None:
            after = await self._run(Piece(partial(piece, after=after)))

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
        await self._run(lambda conn: ingest.keep_answer(conn, client_id, key, answer), None)

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
            while loop.time() < until and await self._run(piece, None):
                pass
        self._tell(Topic.CHANGES)
        self._tell(Topic.DELIVERIES)

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
        # Others expire too: told of nothing, they would answer one another for ever.
        ended = await self._run(Piece(expire), None)
        if ended:
            self._tell(Topic.CHANGES)
            self._tell(Topic.DELIVERIES)
        return ended

    def reserve(self, reservation: c.Reservation) -> Awaitable[bool]:
        return self._write(self._reserving, reservation)

    def settle(self, settlement: c.Settlement) -> Awaitable[tuple[c.Delivery, ...]]:
        return self._forgetting(self._write(self._settling, settlement), settlement)

    def withdraw(self, withdrawal: c.Withdrawal) -> Awaitable[tuple[c.Delivery, ...]]:
        return self._forgetting(self._write(self._withdrawing, withdrawal), withdrawal)

    def tell(self, telling: c.Telling) -> Awaitable[tuple[c.Delivery, ...]]:
        return self._write(self._telling, telling)

    def _forgetting(self, written: Future, write: c.Settlement | c.Withdrawal) -> Future:
        """`written`, after which nothing need be known of the attempt beyond the database."""

        def forget(done: Future) -> None:
            if not done.cancelled() and done.exception() is None:
                self._wire_log.forget(write.channel_id)

        written.add_done_callback(forget)
        return written

    def note_sent(self, channel_id: str) -> None:
        self._wire_log.note_sent(channel_id)
        if self._wire_log.is_full:
            self._wire_marks.renew_soon(self._wire_log)

    def can_note(self) -> bool:
        return self._wire_log.can_note()

    def note_unsent(self, channel_id: str) -> None:
        self._wire_log.note_unsent(channel_id)

    def note_answered(self, channel_id: str, at: float) -> None:
        self._wire_log.note_answered(channel_id, at)

    async def open_attempts(
        self, server_ids: Collection[int] | None = None
    ) -> tuple[c.OpenAttempt, ...]:
        query = reading.open_attempts(server_ids)
        found = map(rows.read_open_attempt, await self._fetch(query))
        log = self._wire_log
        return tuple(
            replace(
                attempt,
                unsent=not log.is_sent(attempt.channel_id),
                answered_at=log.answered_at(attempt.channel_id),
            )
            for attempt in found
        )

    async def recent_starts(
        self, since: float, server_ids: Collection[int] | None = None
    ) -> tuple[c.RecentStart, ...]:
        found = await self._fetch(reading.recent_starts(since, server_ids))
        return tuple(
            c.RecentStart(server, client, rows.to_seconds(at)) for server, client, at in found
        )

    # The outbox.

    def record_delivery(self, outcome: c.DeliveryOutcome) -> Awaitable[bool]:
        return self._write(self._recording, outcome)

    async def due_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int
    ) -> tuple[c.Delivery, ...]:
        found = await self._read(_DUE_DELIVERIES, endpoint, rows.to_micros(now), after_id, limit)
        return tuple(map(rows.read_delivery, found))

    async def claim_deliveries(
        self, endpoint: str, now: float, after_id: int, limit: int, until: float
    ) -> tuple[c.Delivery, ...]:
        claim = outbox.claim_deliveries
        found = self._run(lambda conn: claim(conn, endpoint, now, after_id, limit, until), None)
        return tuple(await found)

    async def renew_deliveries(
        self, ids: Sequence[int], until: float, later: float
    ) -> frozenset[int]:
        return await self._run(lambda conn: outbox.move_claims(conn, ids, until, later), None)

    async def release_deliveries(self, ids: Sequence[int], until: float, now: float) -> None:
        await self._run(lambda conn: outbox.move_claims(conn, ids, until, now), Topic.DELIVERIES)

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
        return await self._run(
            lambda conn: dead_letters.send_again(conn, ids, now), Topic.DELIVERIES
        )

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
        return await self._run(
            lambda conn: foreign.forward_unsent(conn, forwards, now, limit), Topic.DELIVERIES
        )

    async def sgapi_task(self, client_id: int, uuid: str) -> c.SgapiTask | None:
        for raw in await self._fetch(foreign.foreign_task(client_id, uuid)):
            return foreign.read_foreign_task(raw)
        for raw in await self._fetch(foreign.own_task(client_id, uuid)):
            return foreign.read_own_task(raw)
        return None

    # Reading back.

    async def cdrs(
        self, client_id: int | None, after_id: int, limit: int
    ) -> tuple[tuple[int, Cdr], ...]:
        upto = reading.LARGEST_ID if client_id is not None else await self._newest_settled()
        found = await self._fetch(reading.cdrs(client_id, after_id, upto, limit))
        return tuple((id_, rows.load_cdr(record)) for id_, record in found)

    async def _newest_settled(self) -> int:
        """The id up to which no CDR comes any more, of any client."""
        return reading.LARGEST_ID

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

    async def totals(self) -> c.Totals:
        counts = (await self._fetch(reading.item_counts()))[0]
        tallies = await self._fetch(select(t.tallies.c.name, t.tallies.c.value))
        return reading.read_totals(counts, tallies)

    async def activity(self, now: float) -> c.Activity:
        by_server = await self._fetch(reading.live_calls("server_id"))
        by_client = await self._fetch(reading.live_calls("client_id"))
        recent = await self._fetch_number(reading.attempts_since(now - 60.0))
        return c.Activity(_pairs(by_server), _pairs(by_client), recent or 0)


def _pairs(found: list[rows.Raw]) -> dict[int, int]:
    return {raw[0]: raw[1] for raw in found}
