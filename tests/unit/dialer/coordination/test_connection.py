"""One connection to a real Redis."""

import asyncio
from collections.abc import Iterator

import pytest

from dialer.coordination.address import RedisAddress, parse_address
from dialer.coordination.connection import Connection, RedisGone
from tests.patience import PATIENCE
from tests.redis_server import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer("--requirepass", "open sesame") as server:
        yield server


def address_of(redis: RedisServer, db: int = 0) -> RedisAddress:
    return parse_address(f"redis://:open%20sesame@127.0.0.1:{redis.port}/{db}")


async def test_it_logs_in_chooses_its_database_and_answers_in_order(redis: RedisServer) -> None:
    connection = await Connection.open(address_of(redis, db=3), 5)
    try:
        asked = [connection.ask("RPUSH", "list", str(number)) for number in range(50)]
        assert await asyncio.gather(*asked) == [str(n).encode() for n in range(1, 51)]
        assert await connection.ask("SET", "name", "value") == b"OK"
        assert b"db=3" in await connection.ask("CLIENT", "LIST")
    finally:
        connection.close()
    assert connection.lost.is_set()


async def test_a_named_user_logs_in_over_a_unix_socket(redis: RedisServer) -> None:
    url = f"unix://default:open%20sesame@{redis.path}?db=1"
    connection = await Connection.open(parse_address(url), 5)
    assert await connection.ask("PING") == b"PONG"
    connection.close()


async def test_a_wrong_password_is_told_in_redis_words(redis: RedisServer) -> None:
    with pytest.raises(RedisGone, match="it says WRONGPASS"):
        await Connection.open(parse_address(f"redis://:no@127.0.0.1:{redis.port}"), 5)


async def test_where_nobody_listens_it_says_so(redis: RedisServer) -> None:
    redis.kill()
    with pytest.raises(RedisGone, match=r"(?i)connect"):
        await Connection.open(address_of(redis), 5)


async def test_an_error_ends_the_connection(redis: RedisServer) -> None:
    connection = await Connection.open(address_of(redis), 5)
    with pytest.raises(RedisGone, match="it says NOSCRIPT"):
        await connection.ask("EVALSHA", "0" * 40, "0")
    with pytest.raises(RedisGone, match="the connection is lost"):
        await connection.ask("PING")


async def test_a_redis_that_dies_ends_it_at_once(redis: RedisServer) -> None:
    connection = await Connection.open(address_of(redis), PATIENCE)
    redis.freeze()
    asked = asyncio.ensure_future(connection.ask("PING"))
    await asyncio.sleep(0)
    redis.kill()
    with pytest.raises(RedisGone, match=r"lost|reset"):
        await asked
    async with asyncio.timeout(PATIENCE):
        await connection.lost.wait()


async def test_a_redis_that_hangs_ends_it_in_time(redis: RedisServer) -> None:
    connection = await Connection.open(address_of(redis), 0.05)
    redis.freeze()
    with pytest.raises(RedisGone, match=r"no answer within 0\.05 s"):
        await connection.ask("PING")
    with pytest.raises(RedisGone, match=r"within 0\.05 s"):
        await Connection.open(address_of(redis), 0.05)


async def test_a_listener_hears_everything_from_its_first_word_on(redis: RedisServer) -> None:
    listener = await Connection.open(address_of(redis), 5)
    teller = await Connection.open(address_of(redis), 5)
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.ensure_future(listener.listen(["one", "two"], heard.put_nowait))
    async with asyncio.timeout(PATIENCE):
        assert await heard.get() == ""
        for number in range(20):
            await teller.ask("PUBLISH", "two" if number % 2 else "one", str(number))
        assert [await heard.get() for _ in range(20)] == [str(number) for number in range(20)]
        redis.kill()
        with pytest.raises(RedisGone):
            await listening
    teller.close()


async def test_a_listener_notices_a_redis_that_hangs(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.coordination.connection.PROBE", 0.02)
    listener = await Connection.open(address_of(redis), 0.1)
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.ensure_future(listener.listen(["one"], heard.put_nowait))
    async with asyncio.timeout(PATIENCE):
        assert await heard.get() == ""
        redis.freeze()
        with pytest.raises(RedisGone, match="no answer within"):
            await listening


async def test_a_listener_that_is_stopped_leaves_no_connection(redis: RedisServer) -> None:
    listener = await Connection.open(address_of(redis), 5)
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.ensure_future(listener.listen(["one"], heard.put_nowait))
    async with asyncio.timeout(PATIENCE):
        assert await heard.get() == ""
    listening.cancel()
    await asyncio.wait([listening])
    assert listener.lost.is_set()
