"""`dialer audit`: what operators and superusers changed."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from dialer.cli.workspace import with_store
from dialer.policy import read_policy
from dialer.policy_lists import LISTS, show_change
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
    for entry in entries:
        typer.echo("  ".join((show_time(entry.at), entry.actor, entry.action, entry.subject)))
        for detail in show_details(entry):
            typer.echo(f"    {detail}")


def show_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def show_details(entry: AuditEntry) -> list[str]:
    """A line for each value: a change as before → after, a policy's lists as they are typed; of
    what was added, every value that is one."""
    changes = entry.action.endswith((".change", ".remove", ".signing-secret"))
    lines: list[str] = []
    for name, value in entry.details.items():
        changed = changes and isinstance(value, list) and len(value) == 2
        if name == "policy":
            lines += _show_policy(*(value if changed else ({}, value)))
        elif changed:
            lines.append(f"{name}: {json.dumps(value[0])} → {json.dumps(value[1])}")
        elif value not in (None, [], {}):
            lines.append(f"{name}: {json.dumps(value)}")
    return lines


def _show_policy(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Only the lists that differ, each as what came and what went; given as `dump_policy` has
    them. One that this version does not know is as good as none."""
    one, other = read_policy(before), read_policy(after)
    shown = (show_change(one, other, name) for name in LISTS)
    return [f"policy {change}" for change in shown if change]
