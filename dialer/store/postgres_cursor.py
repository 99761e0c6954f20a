"""A bare cursor on asyncpg, as the row functions use it: synchronous, inside `run_sync`."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy.util import await_only

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.prepared_stmt import PreparedStatement

_COUNT: Final = re.compile(r"\d+$")
_prepared: "WeakKeyDictionary[asyncpg.Connection, dict[str, PreparedStatement]]" = (
    WeakKeyDictionary()
)


class PostgresCursor:
    """Statements are prepared once a connection. Raises asyncpg's errors as they are."""

    def __init__(self, connection: "asyncpg.Connection") -> None:
        self._connection = connection
        self._statements = _prepared.setdefault(connection, {})
        self._rows: list[asyncpg.Record] = []
        self.rowcount = -1

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> "PostgresCursor":
        self._rows = await_only(self._fetch(sql, parameters))
        return self

    async def _fetch(self, sql: str, parameters: Sequence[Any]) -> "list[asyncpg.Record]":
        statement = self._statements.get(sql)
        if statement is None:
            statement = self._statements[sql] = await self._connection.prepare(sql)
        rows: list[asyncpg.Record] = await statement.fetch(*parameters)
        counted = _COUNT.search(statement.get_statusmsg())
        self.rowcount = int(counted[0]) if counted else -1
        return rows

    def fetchone(self) -> "asyncpg.Record | None":
        return self._rows[0] if self._rows else None

    def fetchall(self) -> "list[asyncpg.Record]":
        return self._rows
