"""`dialer audit`: what operators and superusers changed."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Column, Table

from dialer.cli.workspace import make_console, with_store
from dialer.store.contract import AuditEntry


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


def audit(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Entries to show.")] = 50,
    format_: Annotated[
        Format, typer.Option("--format", help="json: one object a line.")
    ] = Format.TABLE,
) -> None:
    """Show who changed servers, clients, keys and queues, the latest change first.

    Example: dialer audit --limit 20
    """
    entries = with_store(lambda store: store.audit(limit))
    if format_ is Format.JSON:
        for entry in entries:
            typer.echo(json.dumps(asdict(entry) | {"at": show_time(entry.at)}))
        return
    time_column = Column("time (UTC)", no_wrap=True, min_width=24)
    table = Table(time_column, "who", "what", "of", "details")
    for entry in entries:
        time = show_time(entry.at)
        table.add_row(time, entry.actor, entry.action, entry.subject, show_details(entry))
    make_console().print(table)


def show_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def show_details(entry: AuditEntry) -> str:
    """A change as before → after; of what was added, every value that is one."""
    changes = entry.action.endswith((".change", ".remove", ".signing-secret"))
    parts = []
    for name, value in entry.details.items():
        if changes and isinstance(value, list) and len(value) == 2:
            parts.append(f"{name}: {json.dumps(value[0])} → {json.dumps(value[1])}")
        elif value not in (None, [], {}):
            parts.append(f"{name}: {json.dumps(value)}")
    return ", ".join(parts)
