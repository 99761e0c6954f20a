"""What processes, PostgreSQL and Redis used up between two looks."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer

_TICK: Final = os.sysconf("SC_CLK_TCK")

_DATABASE: Final = """
SELECT xact_commit AS commits, xact_rollback AS rollbacks, tup_inserted AS inserted,
  tup_updated AS updated, tup_deleted AS deleted, pg_database_size(datname) AS bytes
FROM pg_stat_database WHERE datname = current_database()
"""
_WAL: Final = "SELECT wal_records, wal_fpi, wal_sync FROM pg_stat_wal"
_WAITS: Final = """
SELECT coalesce(wait_event_type || ':' || wait_event, 'working') AS what, count(*) AS times
FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Use:
    """CPU in seconds of each part by name; WAL in bytes; Redis' commands by name."""

    cpu: Mapping[str, float]
    wal_bytes: int
    redis: Mapping[str, int]

    def since(self, before: "Use") -> "Use":
        return Use(
            {name: spent - before.cpu.get(name, 0.0) for name, spent in self.cpu.items()},
            self.wal_bytes - before.wal_bytes,
            {name: calls - before.redis.get(name, 0) for name, calls in self.redis.items()},
        )


def read_cpu(pid: int, *, reaped: bool = False) -> float:
    """Seconds of CPU of a process (proc(5), stat), and of its ended children where they were
    waited for; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11 : 15 if reaped else 13])) / _TICK


def read_family_cpu(pid: int) -> float:
    """A server's and its children's, also of those that have ended."""
    spent = read_cpu(pid, reaped=True)
    with suppress(FileNotFoundError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        spent += sum(read_cpu(int(child)) for child in children.split())
    return spent


def find_postmaster(postgres: PostgresServer) -> int:
    """The pid of the server's first process."""
    text = (postgres.folder / "data" / "postmaster.pid").read_text(encoding="ascii")
    return int(text.partition("\n")[0])


def find_redis(redis: RedisServer) -> int:
    """The server's pid."""
    answer = redis.get_value("INFO", "server").decode()
    return int(answer.partition("process_id:")[2].partition("\r")[0])


def sum_cpu(pids: Iterable[int]) -> float:
    return sum(map(read_cpu, pids))


def read_redis(redis: RedisServer) -> dict[str, int]:
    """Calls of commands by name."""
    found = {}
    for line in redis.get_value("INFO", "commandstats").decode().splitlines():
        name, _, values = line.partition(":calls=")
        if values:
            found[name.removeprefix("cmdstat_")] = int(values.partition(",")[0])
    return found


async def read_wal(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Bytes of WAL that were ever written."""
    return int(await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))


async def read_counters(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, Any]:
    """PostgreSQL's cumulative statistics: sessions report them when they end at the latest."""
    found = dict(await connection.fetchrow(_DATABASE) or {})
    return found | dict(await connection.fetchrow(_WAL) or {})


async def add_waits(connection: "asyncpg.Connection[asyncpg.Record]", waits: Counter[str]) -> None:
    """One look at what the sessions that are at work do at this moment."""
    for row in await connection.fetch(_WAITS):
        waits[row["what"]] += row["times"]
