"""Real servers that are started, killed, frozen and ended."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from chaos.cluster.members import find_peers
from chaos.cluster.servers import OWNER, PostgreSql, Redis, own_postgresql, own_redis
from tests.patience import PATIENCE

pytestmark = pytest.mark.io

ENDED = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # where it has read half of what it was told
    OSError,
)
"""What who asks over an ended session may get."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgreSql]:
    with own_postgresql() as server:
        asyncio.run(server.prepare())
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    with own_redis(tmp_path) as server:
        yield server


@asynccontextmanager
async def session(
    postgres: PostgreSql, user: str = OWNER
) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await postgres.connect(user)
    try:
        yield connection
    finally:
        connection.terminate()


async def count_kept(postgres: PostgreSql) -> int:
    async with session(postgres) as reading:
        return int(await reading.fetchval("SELECT count(*) FROM kept"))


async def test_what_was_committed_outlives_a_kill(postgres: PostgreSql) -> None:
    async with session(postgres) as writing:
        await writing.execute("CREATE TABLE kept AS SELECT 7 AS number")
        await postgres.kill()
    assert not postgres.process.alive
    assert not await postgres.answers()
    await postgres.start()
    assert await count_kept(postgres) == 1
    await postgres.stop()
    await postgres.start()
    assert await count_kept(postgres) == 1


async def test_the_dialers_sessions_are_ended_and_no_others(postgres: PostgreSql) -> None:
    async with session(postgres) as own, session(postgres, "postgres") as other:
        assert await postgres.terminate_sessions() >= 1
        with pytest.raises(ENDED):
            await own.fetchval("SELECT 1")
        assert await other.fetchval("SELECT 1") == 1


async def test_a_frozen_postgresql_answers_when_it_is_thawed(postgres: PostgreSql) -> None:
    async with session(postgres, "postgres") as reading:
        postgres.freeze()
        asking = asyncio.ensure_future(reading.fetchval("SELECT 1"))
        done, _ = await asyncio.wait({asking}, timeout=0.2)
        assert not done
        postgres.thaw()
        assert await asyncio.wait_for(asking, PATIENCE) == 1


async def test_redis_forgets_when_it_is_flushed_or_restarted(redis: Redis) -> None:
    await redis.start()
    for forget in (lambda: redis.ask("FLUSHALL"), redis.kill, redis.stop):
        assert await redis.ask("SET key 1") == "+OK"
        await forget()
        if not redis.process.alive:
            assert not await redis.answers()
            await redis.start()
        assert await redis.ask("EXISTS key") == ":0"


async def test_a_frozen_redis_answers_when_it_is_thawed(redis: Redis) -> None:
    await redis.start()
    redis.freeze()
    asking = asyncio.ensure_future(redis.ask("PING"))
    done, _ = await asyncio.wait({asking}, timeout=0.2)
    assert not done
    redis.thaw()
    assert await asyncio.wait_for(asking, PATIENCE) == "+PONG"


async def test_a_persistent_redis_remembers(tmp_path: Path) -> None:
    with own_redis(tmp_path, persistent=True) as redis:
        await redis.start()
        assert await redis.ask("SET key 1") == "+OK"
        await redis.stop()
        await redis.start()
        assert await redis.ask("EXISTS key") == ":1"


async def test_where_a_process_is_connected_to(redis: Redis) -> None:
    await redis.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
    writer.write(b"PING\r\n")
    assert await reader.readline() == b"+PONG\r\n"
    mine = writer.get_extra_info("sockname")[1]
    assert redis.process.running is not None
    assert mine in find_peers(redis.process.running.pid)
    writer.close()
    await writer.wait_closed()
