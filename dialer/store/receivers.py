"""Clients as receivers of callbacks: versions of signing secrets, and URLs that are gone."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from dialer.errors import NotFound
from dialer.store import tables as t
from dialer.store.audit_rows import note
from dialer.store.contract import Receivers, Signing
from dialer.store.dialect import upsert
from dialer.store.row_locks import hold_name
from dialer.store.rows import Raw, to_micros_or_none, to_seconds_or_none

_s, _g = t.signing.c, t.gone_callbacks.c


def changed_signing() -> Select[Any]:
    return select(_s.client_id, _s.version, _s.grace_until)


def gone_callbacks() -> Select[Any]:
    return select(_g.client_id, _g.url)


def read_receivers(signing: Sequence[Raw], gone: Sequence[Raw]) -> Receivers:
    return Receivers(
        {raw[0]: Signing(raw[1], to_seconds_or_none(raw[2])) for raw in signing},
        frozenset((raw[0], raw[1]) for raw in gone),
    )


def rotate_signing(
    connection: Connection, client_id: int, grace_until: float | None, now: float, by: str
) -> Signing:
    """The next version; the one before lives until `grace_until`. Raises `NotFound`."""
    hold_name(connection, "signing", client_id)
    account = connection.scalar(select(t.clients.c.accountcode).where(t.clients.c.id == client_id))
    if account is None:
        raise NotFound(f"there is no client {client_id}")
    before = connection.scalar(select(_s.version).where(_s.client_id == client_id))
    old = Signing().version if before is None else int(before)
    new = Signing(old + 1, grace_until)
    values = {"version": new.version, "grace_until": to_micros_or_none(grace_until)}
    row = upsert(connection, t.signing).values(client_id=client_id, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["client_id"], set_=values))
    details = {"version": [old, new.version], "grace_until": [None, grace_until]}
    note(connection, by, "client.signing-secret", account, details, now)
    return new


def welcome_back(connection: Connection, client_id: int) -> None:
    """Its callbacks are gone no more: somebody gave it a callback URL."""
    connection.execute(delete(t.gone_callbacks).where(_g.client_id == client_id))
