"""POST insertdataincallqueue and insertquickcall. Answered after the calls are on disk."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from dialer.api.answers import success
from dialer.api.auth import authenticate, find_tenant, name_superuser
from dialer.api.deps import ApiDeps, deps_of
from dialer.api.idempotency import Keep, answer_once
from dialer.api.reading import read_body
from dialer.api.turns import take_turns
from dialer.batch import BatchBuilder
from dialer.bodies import Parsed, parse_quick_call, read_batch
from dialer.errors import Refused
from dialer.failpoints import failpoints
from dialer.items import reachable_servers
from dialer.quick_call import build_quick_call
from dialer.store.contract import BatchStored, Client, NewBatch, NewItem


async def insert_batch(request: Request) -> Response:
    """Add a batch of calls to a queue."""
    caller = await authenticate(request)
    deps = deps_of(request)
    body = await read_body(request, deps.settings.max_body_bytes)

    async def work(_keep: Keep | None) -> tuple[dict[str, Any], bool]:
        parsed = await take_turns(read_batch(body), deps.clock.monotonic)
        client = await find_tenant(request, caller, parsed.content)
        stored = await _store_batch(parsed, client, deps, name_superuser(caller))
        if not stored.replayed:
            deps.signals.items_added(stored.queue_id)
        data = {
            "queue_id": stored.queue_id,
            "inserted_count": stored.inserted_count,
            "batch_id": stored.batch_id,
        }
        if failpoints.armed:
            failpoints.reach("ingest.answer.before")
        return success("Queue data inserted successfully", data), stored.replayed

    return await answer_once(request, caller, body, work)


async def insert_quick_call(request: Request) -> Response:
    """Place one call as soon as there is room, before its client's batches."""
    caller = await authenticate(request)
    body = await read_body(request)
    deps = deps_of(request)

    async def work(keep: Keep | None) -> tuple[dict[str, Any], bool]:
        parsed = parse_quick_call(body)
        client = await find_tenant(request, caller, parsed.content)
        servers = reachable_servers(client, await deps.store.servers())
        now = deps.clock.now()
        item = build_quick_call(
            parsed,
            client,
            servers,
            lambda: deps.ids.new(now),
            now + deps.settings.quick_call_expiry,
        )

        def answer(queue_id: int) -> dict[str, Any]:
            data = {"call_id": item.call_id, "queue_id": queue_id}
            return success("Quick call inserted successfully", data)

        kept = (lambda queue_id: keep(answer(queue_id))) if keep is not None else None
        queue_id = await deps.store.insert_quick_call(
            client.id, item, now, kept, name_superuser(caller)
        )
        deps.signals.items_added(queue_id)
        return answer(queue_id), False

    return await answer_once(request, caller, body, work)


async def _store_batch(
    parsed: Parsed, client: Client, deps: ApiDeps, by: str | None
) -> BatchStored:
    """Build and store a batch. One that was stored before is that batch, even if the rules that
    hold now would refuse it (its server was taken away meanwhile)."""
    try:
        items = await _build(parsed, client, deps)
    except Refused:
        batch_id = parsed.content.get("batch_id")
        if not isinstance(batch_id, int):
            raise
        stored = await deps.store.stored_batch(client.id, batch_id, parsed.digest())
        if stored is None:
            raise
        return stored
    if failpoints.armed:
        failpoints.reach("ingest.batch.before")
    batch = make_batch(parsed, client, items, deps.clock.now())
    stored = await deps.store.insert_batch(replace(batch, by=by))
    if failpoints.armed:
        failpoints.reach("ingest.batch.stored")
    return stored


async def _build(parsed: Parsed, client: Client, deps: ApiDeps) -> list[NewItem]:
    servers = reachable_servers(client, await deps.store.servers())
    now = deps.clock.now()
    builder = BatchBuilder(parsed, client, servers, lambda: deps.ids.new(now))
    return await take_turns(builder.steps(), deps.clock.monotonic)


def make_batch(parsed: Parsed, client: Client, items: list[NewItem], now: float) -> NewBatch:
    """The batch as the store takes it."""
    content = parsed.content
    return NewBatch(
        client_id=client.id,
        batch_id=content["batch_id"],
        digest=parsed.digest(),
        queue_id=content.get("queue_id"),
        queue_name=name_queue(items[0].payload["project"], client, now),
        dids=tuple(content.get("dids") or ()),
        items=items,
        now=now,
    )


def name_queue(project: str | None, client: Client, now: float) -> str:
    """Project (or accountcode) and the client's local time."""
    local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(client.timezone))
    return f"{project or client.accountcode} {local:%Y-%m-%d %H:%M:%S}"
