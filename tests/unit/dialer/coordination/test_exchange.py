"""Wishes of one turn of the loop in one request, and what becomes of them without an answer."""

import asyncio
from typing import cast

import pytest

from dialer.coordination.connection import RedisGone
from dialer.coordination.contract import SlotWish, Verdict
from dialer.coordination.exchange import Exchange
from dialer.coordination.ledger import Ledger, Slot
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session
from dialer.coordination.turns import SLACK, TurnClock


class FakeSession:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answers: list[asyncio.Future[str]] = []

    async def run(self, script: Script, *words: str) -> str:
        assert script is Script.BATCH
        assert words[:3] == ("500000", "150000", "1035000")
        self.asked.append(list(words[3:]))
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]


class Bench:
    """An exchange at monotonic time 100, Redis' clock showing 1000 then."""

    def __init__(self) -> None:
        self.now = 100.0
        self.session, self.ledger = FakeSession(), Ledger()
        self.clock = TurnClock(warm=1.0)
        self.clock.see(98.0, 98.0, 998.0, era=0)
        self.exchange = Exchange(self.ledger, self.clock, self, lambda: self.now)
        self.exchange.attach(cast(Session, self.session))
        self.exchange.granting = True
        self.mine = {1}
        self.told: list[object] = []

    def owns(self, server_id: int) -> bool:
        return server_id in self.mine

    def refused(self, client_id: int, seconds: float | None) -> None:
        self.told.append((client_id, seconds))

    def clock_was_set(self, era: int) -> None:
        self.told.append(f"set in {era}")

    def epoch_lost(self) -> None:
        self.told.append("epoch lost")

    def answer(self, text: str, which: int = -1) -> None:
        self.session.answers[which].set_result(text)


def wish(channel: str, cps: float | None = None) -> SlotWish:
    return SlotWish(client_id=7, server_id=1, channel_id=channel, limit=2, max_cps=cps)


async def turn_loop() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_turn_of_the_loop_is_one_request_in_which_what_makes_room_comes_first() -> None:
    bench = Bench()
    bench.ledger.add("old", Slot(1, 7))
    takes = [bench.exchange.take(wish("a")), bench.exchange.take(wish("b", cps=10.0))]
    turn = bench.exchange.turn(7, 10.0)
    bench.ledger.free("old")
    bench.exchange.free(1, "old")
    bench.exchange.put("x", Slot(1, 8))
    await turn_loop()
    assert [" ".join(words) for words in bench.session.asked] == [
        "f 1 old p 1 8 x n 7 103500 t 1 7 a 2 0 t 1 7 b 2 103500"
    ]
    assert bench.exchange.asking == {"a", "b"}
    bench.answer("OPEN 1000000000 0 T1000250000 G F")
    assert await asyncio.gather(*takes) == [Verdict.GRANTED, Verdict.FULL]
    found = await turn
    assert found is not None
    assert found.not_before == pytest.approx(100.25, abs=0.003)
    assert found.not_after == found.not_before + SLACK
    assert bench.ledger.held == {"a": Slot(1, 7)}
    assert bench.ledger.leaving == {}
    assert bench.told == [(7, None)]
    assert bench.exchange.asking == set()


async def test_requests_do_not_wait_for_answers() -> None:
    bench = Bench()
    first = bench.exchange.take(wish("a"))
    await turn_loop()
    second = bench.exchange.take(wish("b"))
    await turn_loop()
    assert len(bench.session.asked) == 2
    bench.answer("OPEN 1000000000 0 G", 0)
    bench.answer("OPEN 1000000000 0 C", 1)
    assert (await first, await second) == (Verdict.GRANTED, Verdict.CLOSED)


async def test_no_request_holds_more_than_redis_does_in_a_moment() -> None:
    bench = Bench()
    takes = [bench.exchange.take(wish(f"c{n}")) for n in range(1200)]
    await turn_loop()
    assert [len(words) // 6 for words in bench.session.asked] == [500, 500, 200]
    for which, words in enumerate(bench.session.asked):
        bench.answer("OPEN 1000000000 0" + " G" * (len(words) // 6), which)
    assert set(await asyncio.gather(*takes)) == {Verdict.GRANTED}


async def test_what_is_not_answered_is_closed_and_freed_until_that_has_arrived() -> None:
    bench = Bench()
    take, turn = bench.exchange.take(wish("a")), bench.exchange.turn(7, 1.0)
    await turn_loop()
    bench.exchange.detach()
    bench.session.answers[0].set_exception(RedisGone("no answer"))
    assert await take is Verdict.CLOSED
    assert await turn is None
    assert bench.ledger.leaving == {"a": 1}
    assert bench.ledger.held == {}
    bench.exchange.attach(cast(Session, bench.session))
    await turn_loop()
    assert bench.session.asked[-1] == ["f", "1", "a"]
    bench.answer("CLOSED 1000000000 0")
    await bench.exchange.settle()
    assert bench.ledger.leaving == {}


async def test_without_a_session_or_the_server_nothing_is_asked() -> None:
    bench = Bench()
    bench.mine = set()
    assert await bench.exchange.take(wish("a")) is Verdict.CLOSED
    bench.exchange.detach()
    bench.mine = {1}
    assert await bench.exchange.take(wish("a")) is Verdict.CLOSED
    assert await bench.exchange.turn(7, 1.0) is None
    await turn_loop()
    assert bench.session.asked == []


async def test_a_wish_under_way_as_the_session_ends_is_closed_and_was_never_asked() -> None:
    bench = Bench()
    take = bench.exchange.take(wish("a"))
    bench.exchange.detach()
    assert await take is Verdict.CLOSED
    assert bench.session.asked == []
    assert bench.ledger.leaving == {}


@pytest.mark.parametrize("state", ["EPOCH", "STALE"])
async def test_an_epoch_that_ended_grants_nothing_and_nothing_is_in_doubt(state: str) -> None:
    bench = Bench()
    take = bench.exchange.take(wish("a"))
    await turn_loop()
    bench.answer(state)
    assert await take is Verdict.CLOSED
    assert bench.told == ["epoch lost"]
    assert bench.ledger.leaving == {}


async def test_a_grant_that_nobody_waits_for_any_more_is_freed() -> None:
    bench = Bench()
    impatient = bench.exchange.take(wish("a"))
    late = bench.exchange.take(wish("b"))
    await turn_loop()
    impatient.cancel()
    bench.mine = set()
    bench.answer("OPEN 1000000000 0 G G")
    assert await late is Verdict.CLOSED, "the server was lost meanwhile"
    await turn_loop()
    assert bench.session.asked[-1] == ["f", "1", "a", "f", "1", "b"]
    assert bench.ledger.held == {}


async def test_it_is_told_when_there_is_room() -> None:
    bench = Bench()
    take, turn = bench.exchange.take(wish("a", cps=1.0)), bench.exchange.turn(8, 1.0)
    await turn_loop()
    bench.answer("OPEN 1000000000 0 L2500000 F885000")
    assert await take is Verdict.FULL
    assert await turn is None
    assert bench.told == [(8, 2.0), (7, 0.885)]


async def test_no_turn_is_read_from_a_clock_that_was_just_set_or_is_not_known_yet() -> None:
    bench = Bench()
    turn = bench.exchange.turn(7, 1.0)
    await turn_loop()
    bench.answer("OPEN 4600000000 0 T4600000000")
    assert await turn is None
    assert bench.told == ["set in 0", (7, None)]
    assert await bench.exchange.turn(7, 1.0) is None
    assert await bench.exchange.take(wish("a", cps=1.0)) is Verdict.FULL
    unlimited = bench.exchange.take(wish("b"))
    await turn_loop()
    bench.answer("OPEN 4600000000 0 G")
    assert await unlimited is Verdict.GRANTED, "slots need no clock"


async def test_what_is_put_back_and_freed_in_one_turn_of_the_loop_is_free() -> None:
    bench = Bench()
    bench.exchange.put("a", Slot(1, 7))
    bench.exchange.free(1, "a")
    bench.exchange.put("b", Slot(1, 7))
    await turn_loop()
    assert [" ".join(words) for words in bench.session.asked] == ["f 1 a p 1 7 b"]
