"""`dialer queues`: what operators decide of a queue beside its client."""

from typing import Annotated, Final

import typer
from rich.table import Table

from dialer.cli.status import show_queue_state
from dialer.cli.workspace import (
    LARGEST_ID,
    given,
    make_console,
    name_operator,
    need_something,
    with_store,
)
from dialer.errors import Conflict
from dialer.states import QueueStatus
from dialer.store.contract import EndedItem, NewDelivery, Queue, Store

app = typer.Typer()

PAGE: Final = 500
"""Queues that one read brings."""


@app.command("list")
def list_(
    client: Annotated[
        str | None, typer.Option("--client", metavar="ACCOUNTCODE", help="Its queues alone.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Completed ones, too.")] = False,
) -> None:
    """List queues with their rules for further attempts.

    Example: dialer queues list --client acme
    """

    async def read(store: Store) -> tuple[list[Queue], dict[int, str]]:
        codes = {one.id: one.accountcode for one in await store.clients()}
        owner = None if client is None else (await store.client(client)).id
        queues: list[Queue] = []
        while page := (await store.queues(owner, len(queues), PAGE)).rows:
            queues += page
        return queues, codes

    queues, codes = with_store(read)
    table = Table(
        "queue", "client", "name", "state", "waiting", "retries", "gap", "redials unknown"
    )
    for queue in queues:
        if queue.status is QueueStatus.COMPLETED and not all_:
            continue
        table.add_row(
            str(queue.id),
            codes.get(queue.client_id, ""),
            queue.name,
            show_queue_state(queue),
            str(queue.pending_count + queue.queued_count),
            str(queue.retry_count) if queue.retry else "off",
            f"{queue.retry_gap} s",
            "yes" if queue.redial_unknown else "no",
        )
    make_console().print(table)


@app.command("set")
def set_(
    queue: Annotated[int, typer.Argument(metavar="ID", max=LARGEST_ID, help="The queue's number.")],
    redial_unknown: Annotated[
        bool | None,
        typer.Option(
            "--redial-unknown/--no-redial-unknown",
            help="Retry calls of which it cannot be known whether they rang, as failed ones are "
            "(the number may ring once more than its attempts).",
        ),
    ] = None,
) -> None:
    """Change what a queue does; the client's own settings stay the client's.

    Example: dialer queues set 7 --redial-unknown
    """
    changes = given(redial_unknown=redial_unknown)
    need_something(changes)
    by = name_operator()

    async def change(store: Store) -> Queue:
        if (await store.queue(queue, None)).status is QueueStatus.COMPLETED:
            raise Conflict(f"queue {queue} is completed")
        now = await store.read_clock()
        return await store.change_queue(queue, changes, _ends_nothing, now, by)

    changed = with_store(change)
    does = "redials" if changed.redial_unknown else "does not redial"
    typer.echo(f"queue {queue} {does} what is unknown")


def _ends_nothing(ended: EndedItem) -> tuple[NewDelivery, ...]:
    """No setting here ends an item, so this is never asked."""
    raise AssertionError(f"item {ended.candidate.id} was ended by a setting")
