"""`dialer deliveries`: what was and was not delivered, and sending dead letters again."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from dialer.cli.audit import Format, show_time
from dialer.cli.workspace import LARGEST_ID, make_console, name_operator, with_store
from dialer.errors import NotFound, SettingsError
from dialer.states import DeliveryState
from dialer.store.contract import DeliveryFilter, DeliveryRecord, Store

app = typer.Typer()

SHOWN_ERROR = 60
"""Characters of an error in the table."""


class Wanted(StrEnum):
    """A state, or all of them."""

    DEAD = DeliveryState.DEAD
    PENDING = DeliveryState.PENDING
    ACCEPTED = DeliveryState.ACCEPTED
    DELIVERED = DeliveryState.DELIVERED
    ALL = "all"


class Kind(StrEnum):
    CALLBACK = "callback"
    SGAPI = "sgapi"


ClientOption = Annotated[
    str | None, typer.Option("--client", metavar="ACCOUNTCODE", help="Of this client only.")
]
KindOption = Annotated[Kind | None, typer.Option(help="Callbacks or SGAPI only.")]
EndpointOption = Annotated[
    str | None, typer.Option(help="To this endpoint only, as `list` shows it.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Made at this time or later, like 2025-01-15T10:30 (UTC)."),
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Made before this time.")]
FormatOption = Annotated[Format, typer.Option("--format", help="json: one object a line.")]


@app.command(name="list")
def list_(
    state: Annotated[Wanted, typer.Option(help="Those in this state.")] = Wanted.DEAD,
    client: ClientOption = None,
    kind: KindOption = None,
    endpoint: EndpointOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most that are shown.")] = 50,
    format_: FormatOption = Format.TABLE,
) -> None:
    """List deliveries, the latest first; without --state those that are dead. json says more.

    Example: dialer deliveries list --client acme --since 2025-01-15
    """
    wanted_state = None if state is Wanted.ALL else DeliveryState(state)

    async def work(store: Store) -> tuple[DeliveryRecord, ...]:
        found = await make_filter(store, (), client, kind, endpoint, since, until, wanted_state)
        return await store.deliveries(found, limit)

    records = with_store(work)
    if format_ is Format.JSON:
        for record in records:
            typer.echo(json.dumps(show_record(record)))
        return
    table = Table(box=SIMPLE)
    for name in ("id", "made (UTC)", "kind", "client", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("where to, tries, why", overflow="fold")
    for record in records:
        delivery = record.delivery
        tries = f"{delivery.tries} {'try' if delivery.tries == 1 else 'tries'}"
        why = "" if record.error is None else f": {record.error[:SHOWN_ERROR]}"
        table.add_row(
            str(delivery.id),
            f"{show_time(delivery.created_at)[:19]}Z",
            delivery.kind,
            record.accountcode,
            delivery.state,
            f"{delivery.endpoint}\n{tries}{why}",
        )
    make_console().print(table)


@app.command()
def show(
    id_: Annotated[int, typer.Argument(metavar="ID", max=LARGEST_ID, help="Of the delivery.")],
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show a delivery: where it goes, its body, and what its last try came to.

    Example: dialer deliveries show 4711
    """
    records = with_store(lambda store: store.deliveries(DeliveryFilter(ids=(id_,)), 1))
    if not records:
        raise NotFound(f"there is no delivery {id_}")
    shown = show_record(records[0])
    if format_ is Format.JSON:
        typer.echo(json.dumps(shown))
        return
    table = Table(show_header=False, box=None)
    for name, value in shown.items():
        text = json.dumps(value, indent=2) if isinstance(value, dict) else value
        table.add_row(name, "" if text is None else str(text))
    make_console().print(table)


@app.command()
def retry(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]…", max=LARGEST_ID, help="Of dead deliveries."),
    ] = None,
    client: ClientOption = None,
    kind: KindOption = None,
    endpoint: EndpointOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Every dead one.")] = False,
) -> None:
    """Send dead deliveries again: those named, or all that every given option fits.

    A running dialer starts within a second; each is tried as often as a new one.

    Example: dialer deliveries retry --client acme --since 2025-01-15T22:00
    """
    if not (ids or all_ or any((client, kind, endpoint, since, until))):
        raise SettingsError("say which deliveries: their ids, a client, a kind, a time, or --all")

    async def work(store: Store) -> int:
        found = await make_filter(store, tuple(ids or ()), client, kind, endpoint, since, until)
        return await store.retry_deliveries(found, await store.read_clock(), name_operator())

    count = with_store(work)
    typer.echo(f"{count} deliver{'y is' if count == 1 else 'ies are'} sent again")
    if ids and count < len(set(ids)):
        typer.echo(f"{len(set(ids)) - count} of those named are not dead", err=True)


async def make_filter(
    store: Store,
    ids: tuple[int, ...],
    client: str | None,
    kind: Kind | None,
    endpoint: str | None,
    since: str | None,
    until: str | None,
    state: DeliveryState | None = None,
) -> DeliveryFilter:
    """What the options say. Raises `NotFound` for an unknown client, `SettingsError`."""
    return DeliveryFilter(
        ids=ids or None,
        state=state,
        client_id=None if client is None else (await store.client(client)).id,
        kind=kind,
        endpoint=endpoint,
        since=read_time("since", since),
        until=read_time("until", until),
    )


def read_time(option: str, text: str | None) -> float | None:
    """Epoch seconds of an ISO 8601 time, UTC where it names no zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--{option}: {text} is no time like 2025-01-15T10:30:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def show_record(record: DeliveryRecord) -> dict[str, Any]:
    """All of a delivery, as JSON can say it; a body that is JSON as what it is."""
    delivery = record.delivery
    ended = record.ended_at
    return {
        "id": delivery.id,
        "kind": delivery.kind,
        "client": record.accountcode,
        "event_id": delivery.event_id,
        "state": delivery.state.value,
        "tries": delivery.tries,
        "status": record.status,
        "error": record.error,
        "method": delivery.method,
        "url": delivery.url,
        "endpoint": delivery.endpoint,
        "created_at": show_time(delivery.created_at),
        "due_at": show_time(delivery.due_at) if ended is None else None,
        "ended_at": None if ended is None else show_time(ended),
        "task": None if delivery.task is None else _show_task(asdict(delivery.task)),
        "body": _read_body(delivery.body),
    }


def _show_task(task: dict[str, Any]) -> dict[str, Any]:
    return {**task, "since": show_time(task["since"])}


def _read_body(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
