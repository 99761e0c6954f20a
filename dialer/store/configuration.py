"""Servers, clients and keys, what is noted of them, and clients as receivers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from dialer.errors import NotFound
from dialer.store import audit_rows, config_rows, reading, receivers, rows
from dialer.store import contract as c
from dialer.store import tables as t
from dialer.store.access import Access

_SERVERS: Final = reading.prepare(config_rows.all_servers)
_KEYED_CLIENT: Final = reading.prepare(config_rows.keyed_client)
_CHANGED_SIGNING: Final = reading.prepare(receivers.changed_signing)
_GONE_CALLBACKS: Final = reading.prepare(receivers.gone_callbacks)


class Configuration(Access):
    """The part of the contract that configures; see there."""

    async def fences(self, server_ids: Sequence[int]) -> dict[int, int]:
        return {raw[0]: raw[1] for raw in await self._fetch(config_rows.fences_of(server_ids))}

    async def own(
        self, server_ids: Sequence[int], seen: Mapping[int, int] | None = None
    ) -> dict[int, int]:
        return await self._run(lambda conn: config_rows.own_servers(conn, server_ids, seen))

    async def servers(self) -> tuple[c.Server, ...]:
        found = map(rows.read_server, await self._read(_SERVERS))
        return tuple(server for server in found if not server.removed)

    async def add_server(self, server: c.Server, now: float, by: str | None = None) -> c.Server:
        return await self._run(lambda conn: config_rows.add_server(conn, server, now, by))

    async def change_server(
        self, code: str, changes: dict[str, Any], now: float, by: str | None = None
    ) -> c.Server:
        return await self._run(lambda conn: config_rows.change_server(conn, code, changes, now, by))

    async def clients(self) -> tuple[c.Client, ...]:
        return tuple(map(rows.read_client, await self._fetch(config_rows.all_clients())))

    async def client(self, accountcode: str) -> c.Client:
        condition = t.clients.c.accountcode == accountcode
        for raw in await self._fetch(config_rows.client_by(condition)):
            return rows.read_client(raw)
        raise NotFound(f"there is no client {accountcode}")

    async def add_client(
        self,
        client: c.Client,
        key: c.StoredKey,
        now: float,
        by: str | None = None,
        keep: Callable[[c.Client], c.KeptAnswer] | None = None,
    ) -> c.Client:
        return await self._run_kept(
            lambda conn: config_rows.add_client(conn, client, key, now, by), keep
        )

    async def change_client(
        self, accountcode: str, changes: dict[str, Any], now: float, by: str | None = None
    ) -> c.Client:
        return await self._run(
            lambda conn: config_rows.change_client(conn, accountcode, changes, now, by)
        )

    async def allocate(
        self, accountcode: str, codes: Sequence[str], now: float, by: str | None = None
    ) -> c.Client:
        return await self._run(lambda conn: config_rows.allocate(conn, accountcode, codes, now, by))

    async def replace_key(
        self,
        client_id: int,
        key: c.StoredKey | None,
        now: float,
        by: str | None = None,
        keep: Callable[[c.Client], c.KeptAnswer] | None = None,
    ) -> c.Client:
        return await self._run_kept(
            lambda conn: config_rows.replace_key(conn, client_id, key, now, by), keep
        )

    async def client_by_key(self, lookup: str) -> tuple[c.Client, c.StoredKey] | None:
        for digest, *raw in await self._read(_KEYED_CLIENT, lookup):
            return rows.read_client(raw), c.StoredKey(lookup, digest)
        return None

    async def receivers(self) -> c.Receivers:
        signing = await self._read(_CHANGED_SIGNING)
        return receivers.read_receivers(signing, await self._read(_GONE_CALLBACKS))

    async def rotate_signing(
        self,
        client_id: int,
        grace_until: float | None,
        now: float,
        by: str,
        keep: Callable[[c.Signing], c.KeptAnswer] | None = None,
    ) -> c.Signing:
        return await self._run_kept(
            lambda conn: receivers.rotate_signing(conn, client_id, grace_until, now, by), keep
        )

    async def audit(self, limit: int) -> tuple[c.AuditEntry, ...]:
        return tuple(map(audit_rows.read_entry, await self._fetch(audit_rows.latest(limit))))

    async def put_runtime(self, values: dict[str, Any], now: float) -> None:
        await self._run(lambda conn: config_rows.put_runtime(conn, values, now), None)

    async def runtime(self) -> dict[str, c.RuntimeNote]:
        found = await self._fetch(select(t.runtime.c.name, t.runtime.c.value, t.runtime.c.at))
        return {name: c.RuntimeNote(value, rows.to_seconds(at)) for name, value, at in found}
