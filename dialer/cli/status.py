"""`dialer status`: queues, channels, rates, deliveries and AMI links, from the database."""

from asyncio import sleep as pause
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from dialer.cli.clients import show_state
from dialer.cli.workspace import make_console, show_limit, with_store
from dialer.presence import read_notes
from dialer.recent_ends import MINUTES
from dialer.store.contract import Activity, Queue, RuntimeNote, Server, Snapshot, Store, Totals

MUTE: Final = (
    "worker running, but it cannot write to the database (disk full? locked by another process?) "
    "or does not answer: see its log"
)
"""What is said of a worker that holds the database and leaves no word in it."""

STOPPING: Final = "worker stopping: no new calls, it waits for the live ones"

MOST_QUEUES: Final = 20
WATCH_EVERY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is shown, as of `now`."""

    now: float
    snapshot: Snapshot
    totals: Totals
    activity: Activity
    notes: dict[str, RuntimeNote]
    claimed: bool = False  # a process dials on this database


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every second.")] = False,
) -> None:
    """Show what is going on.

    Example: dialer status --watch
    """
    console = make_console()
    if not watch:
        console.print(draw(with_store(look)))
        return
    try:
        with_store(lambda store: show_live(store, console))
    except KeyboardInterrupt:
        return


async def show_live(store: Store, console: Console) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(draw(await look(store)), refresh=True)
            await pause(WATCH_EVERY)


async def look(store: Store) -> Picture:
    now = await store.read_clock()
    return Picture(
        now,
        await store.snapshot(),
        await store.totals(),
        await store.activity(now),
        await store.runtime(),
        store.is_claimed(),
    )


def draw(picture: Picture) -> RenderableType:
    return Group(
        describe_worker(picture),
        describe_ends(picture),
        describe_totals(picture),
        draw_servers(picture),
        draw_clients(picture),
        draw_queues(picture),
    )


def find_workers(picture: Picture) -> dict[str, dict[str, Any]]:
    """What the processes that dial say of themselves, by name."""
    notes = read_notes(picture.notes, picture.now)
    return {name: note for name, note in sorted(notes.items()) if "links" in note}


def find_links(picture: Picture) -> dict[str, str] | None:
    """AMI link states by server code; None when no worker is running. Of several workers that say
    something of one server, the one that drives it counts."""
    workers = find_workers(picture)
    if not workers:
        return None
    links: dict[str, str] = {}
    for name, note in workers.items():
        for code, state in note["links"].items():
            if code not in links or code in note.get("drives", ()):
                links[code] = f"{state} ({name})" if len(workers) > 1 else str(state)
    return links


def find_breakers(picture: Picture) -> dict[str, str]:
    """Breakers of servers that are not closed, by server code."""
    notes = find_workers(picture).values()
    return {str(c): str(state) for note in notes for c, state in note["breakers"].items()}


def describe_worker(picture: Picture) -> str:
    calls = sum(picture.activity.calls_by_server.values())
    rate = picture.activity.attempts_last_minute
    lines = [
        f"{_describe_workers(picture)}; {calls} live calls, {rate} attempts in the last minute"
    ]
    for name, note in sorted(read_notes(picture.notes, picture.now).items()):
        if note.get("trouble"):
            lines.append(f"{name}: {note['trouble']}")
    return "\n".join(lines)


def _describe_workers(picture: Picture) -> str:
    workers = find_workers(picture)
    if not workers:
        return MUTE if picture.claimed else "no worker running"
    stopping = [name for name, note in workers.items() if note["stopping"]]
    if len(workers) == 1:
        return STOPPING if stopping else "worker running"
    told = f", of which {len(stopping)} stopping" if stopping else ""
    return f"{len(workers)} workers running{told}"


def describe_ends(picture: Picture) -> str:
    """How the calls of the last minutes ended, and why those failed that did."""
    notes = [note["ends"] for note in find_workers(picture).values()]
    if not notes:
        return f"ended in the last {MINUTES} minutes: not known"
    ends: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for note in notes:
        ends.update(note["dispositions"])
        reasons.update({(name, reason): count for name, reason, count in note["reasons"]})
    counts = ", ".join(f"{count} {disposition}" for disposition, count in ends.most_common())
    lines = [f"ended in the last {MINUTES} minutes: {counts or 'none'}"]
    lines += [f"  {count} {name}: {reason}" for (name, reason), count in reasons.most_common()]
    return "\n".join(lines)


def describe_totals(picture: Picture) -> str:
    totals = picture.totals
    items = ", ".join(f"{count} {state}" for state, count in totals.items.items())
    kinds = sorted({name.partition("/")[0] for name in totals.deliveries})
    counts = ", ".join(
        f"{kind} {totals.deliveries.get(f'{kind}/{state}', 0)} {state}"
        for kind in kinds
        for state in ("pending", "accepted", "dead")
        if state != "accepted" or f"{kind}/{state}" in totals.deliveries
    )
    return f"items: {items}\nCDRs: {totals.cdrs}; deliveries: {counts or 'none'}"


def draw_servers(picture: Picture) -> Table:
    links = find_links(picture) or {}
    breakers = find_breakers(picture)
    table = Table("server", "AMI link", "calls", "limit", "cps limit", "state")
    for server in picture.snapshot.servers:
        if server.removed:
            continue
        table.add_row(
            server.code,
            links.get(server.code, "unknown"),
            str(picture.activity.calls_by_server.get(server.id, 0)),
            show_limit(server.max_channels),
            show_limit(server.max_cps),
            show_server_state(server, breakers.get(server.code)),
        )
    return table


def show_server_state(server: Server, breaker: str | None) -> str:
    """`breaker`: what the worker says of it where it is not closed."""
    state = "paused" if server.paused else "active"
    return state if breaker is None else f"{state}; breaker {breaker}"


def draw_clients(picture: Picture) -> Table:
    table = Table("client", "calls", "limit", "cps limit", "state")
    for client in picture.snapshot.clients:
        table.add_row(
            client.accountcode,
            str(picture.activity.calls_by_client.get(client.id, 0)),
            str(client.allocated_channels),
            show_limit(client.max_cps),
            show_state(client),
        )
    return table


def draw_queues(picture: Picture) -> Table:
    """The newest of the queues that are not completed."""
    codes = {client.id: client.accountcode for client in picture.snapshot.clients}
    queues = picture.snapshot.queues
    table = Table("queue", "client", "name", "state", "pending", "queued", "processed", "ended")
    for queue in sorted(queues, key=lambda queue: queue.id, reverse=True)[:MOST_QUEUES]:
        table.add_row(
            str(queue.id),
            codes.get(queue.client_id, ""),
            queue.name,
            show_queue_state(queue),
            str(queue.pending_count),
            str(queue.queued_count),
            str(queue.processed_count),
            str(queue.terminated_count),
        )
    if len(queues) > MOST_QUEUES:
        table.caption = f"and {len(queues) - MOST_QUEUES} more"
    return table


def show_queue_state(queue: Queue) -> str:
    return f"{queue.status} (paused by operator)" if queue.paused else str(queue.status)
