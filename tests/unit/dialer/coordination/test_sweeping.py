"""What Redis has too much is freed and what it lacks put back, ten servers at a time."""

import asyncio
from typing import cast

import pytest

from dialer.coordination.connection import RedisGone
from dialer.coordination.exchange import Exchange
from dialer.coordination.ledger import Ledger, Slot
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session
from dialer.coordination.sweeping import Sweeper


class FakeSession:
    """Tells what is counted on a server when the test says so."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answers: dict[int, asyncio.Future[str]] = {}

    async def run(self, script: Script, *words: str) -> str:
        assert script is Script.READ
        server = int(words[0].removeprefix("on:"))
        self.asked.append(server)
        self.answers[server] = asyncio.get_running_loop().create_future()
        return await self.answers[server]


class FakeExchange:
    def __init__(self) -> None:
        self.asking = {"coming"}
        self.frees: list[tuple[int, str]] = []
        self.puts: list[tuple[str, Slot]] = []

    def free(self, server_id: int, channel_id: str) -> None:
        self.frees.append((server_id, channel_id))

    def put(self, channel_id: str, slot: Slot) -> None:
        self.puts.append((channel_id, slot))


class Bench:
    def __init__(self, *adopted: int) -> None:
        self.session, self.exchange, self.ledger = FakeSession(), FakeExchange(), Ledger()
        for server in adopted:
            self.ledger.adopt(server, ())
        self.sweeper = Sweeper(self.ledger, cast(Exchange, self.exchange))

    async def sweep(self, *servers: int) -> None:
        self.sweeper.sweep(cast(Session, self.session), servers)
        await turn_loop()

    async def answer(self, *servers: int, text: str = "OPEN\n") -> None:
        for server in servers:
            self.session.answers[server].set_result(text)
        await turn_loop()


async def turn_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_strays_are_freed_and_what_is_missing_is_put_back() -> None:
    bench = Bench(1)
    bench.ledger.add("kept", Slot(1, 7))
    bench.ledger.add("lost", Slot(1, 8))
    await bench.sweep(1)
    await bench.answer(1, text="OPEN\nkept\n7\nstray\n9\ncoming\n9")
    assert bench.exchange.frees == [(1, "stray")]
    assert bench.ledger.leaving == {"stray": 1}
    assert bench.exchange.puts == [("lost", Slot(1, 8))]


async def test_a_server_that_went_meanwhile_is_not_judged() -> None:
    bench = Bench(1)
    await bench.sweep(1)
    bench.ledger.drop(1)
    await bench.answer(1, text="OPEN\nanothers\n7")
    assert bench.exchange.frees == []
    assert bench.ledger.leaving == {}


async def test_ten_at_a_time_and_what_is_asked_for_meanwhile_comes_next() -> None:
    bench = Bench()
    await bench.sweep(*range(12))
    assert bench.session.asked == [*range(10)]
    await bench.sweep(3)
    await bench.answer(*range(10))
    assert bench.session.asked[10:] == [10, 11, 3], "3 may have changed since"
    await bench.answer(10, 11, 3)
    await bench.sweep(5)
    assert bench.session.asked[13:] == [5]


async def test_it_ends_with_its_session_and_a_bug_is_told() -> None:
    bench = Bench(1)
    await bench.sweep(1)
    bench.session.answers[1].set_exception(RedisGone("cut"))
    await turn_loop()
    await bench.sweep(1)
    bench.sweeper.stop()
    await turn_loop()
    assert bench.session.answers[1].cancelled()
    await bench.sweep(1)
    await bench.answer(1, text="OPEN\nstray\nnot-a-client")
    with pytest.raises(ValueError, match="not-a-client"):
        await bench.sweep(1)
