"""Servers, clients, keys, and what a worker says of itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from dialer.errors import Conflict, NotFound
from dialer.policy import dump_policy
from dialer.store import tables as t
from dialer.store.audit_rows import compare, note, show_values
from dialer.store.bulk import driver_cursor
from dialer.store.contract import Client, Server, StoredKey
from dialer.store.dialect import hex_of, upsert
from dialer.store.group_writes import save
from dialer.store.reading import read_all
from dialer.store.receivers import welcome_back
from dialer.store.rows import (
    CLIENT_COLUMNS,
    SERVER_COLUMNS,
    read_client,
    read_server,
    to_micros,
)

R = TypeVar("R")

_SERVER_FIELDS: Final = frozenset(f.name for f in fields(Server)) - {"id"}
_CLIENT_FIELDS: Final = frozenset(c.name for c in t.clients.c) - {"id", "created_at", "updated_at"}

_s, _c, _k = t.servers.c, t.clients.c, t.api_keys.c


def all_servers() -> Select[Any]:
    return select(*SERVER_COLUMNS).order_by(_s.id)


def all_clients() -> Select[Any]:
    return select(*CLIENT_COLUMNS).order_by(_c.id)


def client_by(condition: ColumnElement[bool]) -> Select[Any]:
    return select(*CLIENT_COLUMNS).where(condition)


def keyed_client(lookup: str) -> Select[Any]:
    """The digest, then the client, of a key that is not revoked."""
    return (
        select(_k.digest, *CLIENT_COLUMNS)
        .join_from(t.api_keys, t.clients, _k.client_id == _c.id)
        .where(_k.lookup == lookup, _k.revoked_at.is_(None))
    )


def add_server(connection: Connection, server: Server, now: float, by: str | None = None) -> Server:
    """A code that was removed comes back with these settings; its CDRs keep belonging to it."""
    values = {name: getattr(server, name) for name in _SERVER_FIELDS}
    known = connection.execute(
        select(_s.id, _s.removed).where(_s.code == server.code)
    ).one_or_none()
    if known is None:
        connection.execute(insert(t.servers).values(values))
    elif known.removed:
        connection.execute(update(t.servers).where(_s.id == known.id).values(values))
    else:
        raise Conflict(f"there is a server {server.code} already")
    added = _load_server(connection, server.code)
    note(connection, by, "server.add", added.code, show_values(added), now)
    return added


def change_server(
    connection: Connection, code: str, changes: dict[str, Any], now: float, by: str | None = None
) -> Server:
    _check_names(changes, _SERVER_FIELDS)
    server = _load_server(connection, code)
    try:
        change = update(t.servers).where(_s.id == server.id).values(changes)
        _try(connection, lambda: connection.execute(change))
    except IntegrityError as error:
        raise Conflict(f"there is a server {changes.get('code')} already") from error
    rows = read_all(connection, select(*SERVER_COLUMNS).where(_s.id == server.id))
    changed = read_server(rows[0])
    action = "server.remove" if changed.removed else "server.change"
    note(connection, by, action, code, compare(server, changed), now)
    return changed


def fences_of(server_ids: Sequence[int]) -> Select[Any]:
    return select(_s.id, _s.fence).where(_s.id.in_(server_ids))


def own_servers(
    connection: Connection, server_ids: Sequence[int], seen: Mapping[int, int] | None
) -> dict[int, int]:
    """A larger fencing token for each of these servers; where tokens were `seen`, for those whose
    token is that one still."""
    these = _s.id.in_(server_ids)
    if seen is not None:
        these = tuple_(_s.id, _s.fence).in_([(id_, seen[id_]) for id_ in server_ids if id_ in seen])
    larger = update(t.servers).where(these).values(fence=_s.fence + 1)
    return {raw[0]: raw[1] for raw in connection.execute(larger.returning(_s.id, _s.fence))}


def _load_server(connection: Connection, code: str) -> Server:
    query = select(*SERVER_COLUMNS).where(_s.code == code, ~_s.removed)
    for raw in read_all(connection, query):
        return read_server(raw)
    raise NotFound(f"there is no server {code}")


def add_client(
    connection: Connection, client: Client, key: StoredKey, now: float, by: str | None = None
) -> Client:
    at = to_micros(now)
    values = {name: getattr(client, name) for name in _CLIENT_FIELDS}
    values["policy"] = dump_policy(client.policy)
    values["callback_events"] = sorted(client.callback_events)
    try:
        row = insert(t.clients).values(**values, created_at=at, updated_at=at)
        client_id = _try(connection, lambda: connection.scalar(row.returning(_c.id)))
    except IntegrityError as error:
        raise Conflict(_taken(connection, client)) from error
    _set_servers(connection, client_id, sorted(client.server_ids))
    _add_key(connection, client_id, key, at)
    added = _load_client(connection, _c.id == client_id, client.accountcode)
    note(connection, by, "client.add", added.accountcode, show_values(added), now)
    return added


def _try(connection: Connection, body: Callable[[], R]) -> R:
    """What may meet a taken name, and then leaves the transaction as it was."""
    return save(driver_cursor(connection), body)


def _taken(connection: Connection, client: Client) -> str:
    same = select(_c.id).where(_c.accountcode == client.accountcode)
    if connection.execute(same).first() is not None:
        return f"there is a client with accountcode {client.accountcode} already"
    return f"there is a client with username {client.username} already"


def change_client(
    connection: Connection,
    accountcode: str,
    changes: dict[str, Any],
    now: float,
    by: str | None = None,
) -> Client:
    values = dict(changes)
    servers = values.pop("server_ids", None)
    if "policy" in values:
        values["policy"] = dump_policy(values["policy"])
    if "callback_events" in values:
        values["callback_events"] = sorted(values["callback_events"])
    _check_names(values, _CLIENT_FIELDS)
    client = _load_client(connection, _c.accountcode == accountcode, accountcode)
    values["updated_at"] = to_micros(now)
    try:
        change = update(t.clients).where(_c.id == client.id).values(values)
        _try(connection, lambda: connection.execute(change))
    except IntegrityError as error:
        raise Conflict("there is another client with this accountcode or username") from error
    if servers is not None:
        _set_servers(connection, client.id, sorted(servers))
    if values.get("callback_url") is not None:
        welcome_back(connection, client.id)
    changed = _load_client(connection, _c.id == client.id, accountcode)
    note(connection, by, "client.change", accountcode, compare(client, changed), now)
    return changed


def allocate(
    connection: Connection,
    accountcode: str,
    codes: Sequence[str],
    now: float,
    by: str | None = None,
) -> Client:
    ids = frozenset(_load_server(connection, code).id for code in codes)
    return change_client(connection, accountcode, {"server_ids": ids}, now, by)


def replace_key(
    connection: Connection,
    client_id: int,
    key: StoredKey | None,
    now: float,
    by: str | None = None,
) -> Client:
    """Revoke the client's key; `key`, where given, follows it."""
    at = to_micros(now)
    client = _load_client(connection, _c.id == client_id, str(client_id))
    live = (_k.client_id == client.id) & _k.revoked_at.is_(None)
    connection.execute(update(t.api_keys).where(live).values(revoked_at=at))
    if key is not None:
        _add_key(connection, client.id, key, at)
    connection.execute(update(t.clients).where(_c.id == client.id).values(updated_at=at))
    action = "client.key" if key is not None else "client.revoke"
    shown = {"lookup": key.lookup} if key is not None else {}
    note(connection, by, action, client.accountcode, shown, now)
    return _load_client(connection, _c.id == client.id, client.accountcode)


def _load_client(connection: Connection, condition: ColumnElement[bool], name: str) -> Client:
    for raw in read_all(connection, client_by(condition)):
        return read_client(raw)
    raise NotFound(f"there is no client {name}")


def _set_servers(connection: Connection, client_id: int, server_ids: Sequence[int]) -> None:
    owned = t.client_servers
    connection.execute(delete(owned).where(owned.c.client_id == client_id))
    rows = [{"client_id": client_id, "server_id": server_id} for server_id in server_ids]
    if rows:
        connection.execute(insert(owned), rows)


def _add_key(connection: Connection, client_id: int, key: StoredKey, at: int) -> None:
    connection.execute(
        insert(t.api_keys).values(
            client_id=client_id, lookup=key.lookup, digest=key.digest, created_at=at
        )
    )


def _check_names(changes: dict[str, Any], allowed: frozenset[str]) -> None:
    if unknown := set(changes) - allowed:
        raise ValueError(f"no such field: {', '.join(sorted(unknown))}")


def kept_secret() -> Select[Any]:
    """The installation's secret, in hex, where there is one yet."""
    return select(hex_of(t.meta.c.value)).where(t.meta.c.name == "secret")


def keep_secret(connection: Connection, made: bytes) -> bytes:
    """The installation's secret; `made` becomes it where there is none yet."""
    meta = t.meta
    connection.execute(
        upsert(connection, meta).values(name="secret", value=made).on_conflict_do_nothing()
    )
    return bytes.fromhex(connection.scalars(kept_secret()).one())


def put_runtime(connection: Connection, values: dict[str, Any], now: float) -> None:
    for name, value in values.items():
        row = upsert(connection, t.runtime).values(name=name, value=value, at=to_micros(now))
        changed = {"value": row.excluded.value, "at": row.excluded.at}
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=changed))
