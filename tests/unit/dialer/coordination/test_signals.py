"""Wake-ups over a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dialer.coordination.address import parse_address
from dialer.coordination.local import LocalSignals
from dialer.coordination.signals import MOST, News, RedisSignals, pass_on
from dialer.errors import CoordinationUnavailable
from tests.crew import QUICK, until
from tests.redis_server import RedisServer


class Ear:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def items_added(self, queue_id: int) -> None:
        self.heard.append(("items", queue_id))

    def queue_changed(self, queue_id: int) -> None:
        self.heard.append(("queue", queue_id))

    def configuration_changed(self) -> None:
        self.heard.append("configuration")


@asynccontextmanager
async def running(redis: RedisServer, ear: Ear) -> AsyncIterator[RedisSignals]:
    signals = RedisSignals(parse_address(redis.url), QUICK)
    signals.subscribe(ear)
    await signals.open()
    task = asyncio.ensure_future(signals.run())
    await until(signals.listening.is_set)
    ear.heard.clear()  # it was told that nobody knows what changed before
    try:
        yield signals
    finally:
        task.cancel()
        await asyncio.wait([task])
        await signals.close()


def test_news_are_written_once_and_passed_on() -> None:
    news, ear, signals = News(), Ear(), LocalSignals()
    signals.subscribe(ear)
    assert not news
    news.items |= {2, 1}
    news.add(News(items={1}, queues={3}))
    assert news
    assert news.write() == "i1 i2 q3"
    pass_on(news.write(), signals)
    assert ear.heard == [("items", 1), ("items", 2), ("queue", 3)]
    ear.heard.clear()
    news.add(News(everything=True))
    pass_on(news.write(), signals)
    pass_on("x9", signals)
    assert ear.heard == ["configuration", "configuration"]


def test_too_much_news_are_told_as_everything() -> None:
    assert News(items=set(range(MOST + 1))).write() == "*"


async def test_the_own_ear_hears_at_once_and_others_soon_and_nobody_twice() -> None:
    with RedisServer() as redis:
        here, there = Ear(), Ear()
        async with running(redis, here) as signals, running(redis, there):
            signals.items_added(4)
            signals.queue_changed(5)
            assert here.heard == [("items", 4), ("queue", 5)]
            signals.clients_changed()
            await until(lambda: "configuration" in there.heard)
            assert here.heard == [("items", 4), ("queue", 5), "configuration"]


async def test_each_word_arrives_as_what_it_was() -> None:
    with RedisServer() as redis:
        here, there = Ear(), Ear()
        async with running(redis, here) as signals, running(redis, there):
            for _ in range(3):
                signals.items_added(4)
            signals.queue_changed(5)
            await until(lambda: len(there.heard) == 2)
            assert there.heard == [("items", 4), ("queue", 5)]


async def test_a_restarted_redis_costs_time_and_the_listener_looks_at_everything() -> None:
    with RedisServer() as redis:
        here, there = Ear(), Ear()
        async with running(redis, here) as signals, running(redis, there) as others:
            redis.kill()
            await until(lambda: not others.listening.is_set())
            signals.items_added(6)
            redis.start()
            await until(lambda: "configuration" in there.heard)
            await until(lambda: "configuration" in here.heard)
            signals.items_added(7)
            await until(lambda: ("items", 7) in there.heard)


async def test_a_command_tells_as_it_ends() -> None:
    with RedisServer() as redis:
        there = Ear()
        async with running(redis, there):
            command = RedisSignals(parse_address(redis.url), QUICK)
            command.queue_changed(8)
            await command.close()
            await until(lambda: there.heard == [("queue", 8)])


async def test_without_redis_a_command_ends_all_the_same_and_open_says_why() -> None:
    with RedisServer() as redis:
        signals = RedisSignals(parse_address(redis.url), QUICK)
        redis.kill()
        signals.clients_changed()
        await signals.close()
        with pytest.raises(CoordinationUnavailable, match="cannot be used"):
            await signals.open()


async def test_who_unsubscribed_hears_nothing() -> None:
    with RedisServer() as redis:
        here, there, left = Ear(), Ear(), Ear()
        async with running(redis, here) as signals, running(redis, there) as others:
            others.subscribe(left)()
            signals.items_added(1)
            await until(lambda: there.heard)
            assert left.heard == []
