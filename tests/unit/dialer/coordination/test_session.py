"""Entering Redis, and what it answers to whoever belongs to another time."""

from collections.abc import AsyncIterator

import pytest

from dialer.coordination.address import parse_address
from dialer.coordination.connection import RedisGone
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session, name_channel
from dialer.coordination.view import State
from tests.redis_server import RedisServer

RULES = ("500000", "150000", "1035000")


class House:
    """A Redis and the sessions that were opened with it."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.sessions: list[Session] = []

    async def open(self, worker: str = "w", number: int = 1) -> Session:
        session = await Session.open(parse_address(self.redis.url), worker, number, 5)
        self.sessions.append(session)
        return session


@pytest.fixture
async def house() -> AsyncIterator[House]:
    with RedisServer() as redis:
        house = House(redis)
        yield house
        for session in house.sessions:
            session.close()


async def test_the_first_begins_an_epoch_which_the_next_joins(house: House) -> None:
    one, two = await house.open("a"), await house.open("b")
    assert await one.enter("first", "", "", []) is State.CLOSED
    assert await two.enter("second", "", "", []) is State.CLOSED
    assert (one.epoch, two.epoch) == ("first", "first")
    assert await one.run(Script.REBUILD, "lock") == "OK"
    assert await two.run(Script.REBUILD, "lock") == "BUSY"
    assert await one.run(Script.REBUILD, "load", "", "1", "7", "live") == "OK"
    assert await one.run(Script.REBUILD, "open") == "OK"
    assert await two.run(Script.REBUILD, "load", "", "1", "7", "late") == "OPEN"
    assert await two.run(Script.READ, "counts") == "OPEN\n7\n1"
    assert await two.enter("third", "first", "", []) is State.OPEN


async def test_a_flushed_redis_begins_anew_and_the_slots_are_brought(house: House) -> None:
    session = await house.open()
    await session.enter("first", "", "", [])
    house.redis.command("FLUSHALL")
    assert await session.run(Script.READ, "counts") == "EPOCH"
    assert await session.run(Script.BATCH, *RULES, "f", "1", "x") == "EPOCH"
    assert await session.enter("second", "first", "3:100", [(3, 7, "x"), (3, 8, "y")]) is (
        State.CLOSED
    )
    assert session.epoch == "second"
    assert await session.run(Script.READ, "counts") == "CLOSED\n7\n1\n8\n1"
    assert await session.run(Script.READ, "on:3") == "CLOSED\nx\n7\ny\n8"


async def test_what_a_disk_kept_from_another_life_is_thrown_away() -> None:
    with RedisServer("--save", "3600 1") as redis:
        house = House(redis)
        session = await house.open()
        await session.enter("first", "", "", [(1, 7, "old")])
        await session.run(Script.REBUILD, "open")
        redis.command("SAVE")
        redis.kill()
        redis.start()
        assert redis.get_value("HGET", "dialer:epoch", "id") == b"first"
        session = await house.open(number=2)
        assert await session.enter("second", "first", "", []) is State.CLOSED
        assert session.epoch == "second"
        assert await session.run(Script.READ, "counts") == "CLOSED\n"
        assert await session.run(Script.READ, "on:1") == "CLOSED\n"
        session.close()


async def test_only_the_newest_connection_of_a_worker_counts(house: House) -> None:
    old, new = await house.open(number=1), await house.open(number=2)
    await old.enter("first", "", "", [])
    assert await old.run(Script.READ, "counts") == "CLOSED\n"
    await new.enter("second", "first", "", [])
    assert await old.run(Script.READ, "counts") == "STALE"
    assert await new.run(Script.LEAVE) == "OK"
    assert await new.run(Script.READ, "counts") == "STALE", "it left"


async def test_of_two_who_claim_a_server_the_one_that_renewed_it_last_gets_it(
    house: House,
) -> None:
    stale, fresh, stalest = [await house.open(name) for name in "abc"]
    await stale.enter("first", "", "1:9000000", [])
    await fresh.enter("", "", "1:1000000", [])
    await stalest.enter("", "", "1:20000000", [])
    assert house.redis.get_value("HGET", "dialer:leases", "1") == b"b"


async def test_in_an_open_epoch_nothing_is_claimed(house: House) -> None:
    one, late = await house.open("a"), await house.open("b")
    await one.enter("first", "", "", [])
    await one.run(Script.REBUILD, "open")
    assert await late.enter("", "another", "1:5", [(1, 7, "x")]) is State.OPEN
    assert house.redis.get_value("HGET", "dialer:leases", "1") == b""
    assert await late.run(Script.READ, "counts") == "OPEN\n"


async def test_forgotten_scripts_end_the_session(house: House) -> None:
    session = await house.open()
    await session.enter("first", "", "", [])
    house.redis.command("SCRIPT", "FLUSH")
    with pytest.raises(RedisGone, match="NOSCRIPT"):
        await session.run(Script.READ, "counts")
    assert session.lost.is_set()


def test_channels_of_two_databases_differ() -> None:
    one, two = parse_address("redis://redis/1"), parse_address("redis://redis/2")
    assert name_channel(one, "room") == "dialer:1:room"
    assert name_channel(two, "room") == "dialer:2:room"
