"""The audit log: who changed what. Rows come with the change's own transaction and stay."""

from dataclasses import fields
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Select, insert, select

from dialer.policy import dump_policy
from dialer.redaction import Redactor
from dialer.store import tables as t
from dialer.store.contract import AuditEntry, Client, Server
from dialer.store.rows import Raw, to_micros, to_seconds

_redactor: Final = Redactor()
_UNTOLD: Final = frozenset({"id", "created_at", "updated_at"})


def note(
    connection: Connection,
    by: str | None,
    action: str,
    subject: object,
    details: dict[str, Any],
    now: float,
) -> None:
    """Add an entry; nothing where nobody is named. It is kept for good and read by many: tokens of
    URLs and full phone numbers are masked in it."""
    if by is None:
        return
    told = _redactor.redact_field("details", details)
    connection.execute(
        insert(t.audit).values(
            at=to_micros(now), actor=by, action=action, subject=str(subject), details=told
        )
    )


def note_for(
    connection: Connection,
    by: str | None,
    action: str,
    client_id: int,
    details: dict[str, Any],
    now: float,
) -> None:
    """`note` about a client, by its accountcode."""
    if by is not None:
        code = select(t.clients.c.accountcode).where(t.clients.c.id == client_id)
        note(connection, by, action, connection.scalar(code), details, now)


def show_values(record: Client | Server) -> dict[str, Any]:
    """What a record holds, as JSON can say it."""
    shown: dict[str, Any] = {}
    for name in (f.name for f in fields(record)):
        if name in _UNTOLD:
            continue
        value = getattr(record, name)
        if name == "policy":
            value = dump_policy(value)
        elif isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, StrEnum):
            value = value.value
        shown[name] = value
    return shown


def compare(before: Client | Server, after: Client | Server) -> dict[str, Any]:
    """Field → [before, after] of what differs."""
    old, new = show_values(before), show_values(after)
    return {name: [old[name], new[name]] for name in old if old[name] != new[name]}


def latest(limit: int) -> Select[Any]:
    return select(*t.audit.c).order_by(t.audit.c.id.desc()).limit(limit)


def read_entry(raw: Raw) -> AuditEntry:
    id_, at, actor, action, subject, details = raw
    return AuditEntry(id_, to_seconds(at), actor, action, subject, details)
