"""Caps and the rolling second over three workers: by random schedules at a made-up clock, then as
turns come in real time."""

import asyncio
import random
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.coordination.contract import Turn, Verdict
from dialer.coordination.scripts import Script, read_script
from dialer.coordination.turns import AHEAD, LINE, WINDOW, space, to_micros
from tests.crew import Crew, Worker, until
from tests.redis_server import RedisServer

START = 1_700_000_000_000_000
RULES = tuple(str(to_micros(seconds)) for seconds in (AHEAD, LINE, WINDOW))
WORKERS = {"a": 1, "b": 2, "c": 3}
"""Each drives one server."""


class Clockwork:
    """The scripts at a Redis whose clock is a key, for workers that entered an open epoch."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self._hashes: dict[Script, str] = {}
        for script in Script:
            text = read_script(script).replace(
                "redis.call('TIME')", "redis.call('HMGET', 'clock', 's', 'us')"
            )
            assert "'TIME'" not in text
            self._hashes[script] = redis.get_value("SCRIPT", "LOAD", text).decode()

    def begin(self) -> None:
        self.redis.command("FLUSHALL")
        self.set(START)
        for worker in WORKERS:
            self.run(Script.ENTER, "e", worker, "1", "run", "", "")
        self.run(Script.REBUILD, "e", "a", "1", "open")
        for worker, server in WORKERS.items():
            self.run(Script.BEAT, "e", worker, "1", str(server), "", f"{server}:-:0", "")

    def set(self, now: int) -> None:
        self.redis.command("HSET", "clock", "s", str(now // 1_000_000), "us", str(now % 1_000_000))

    def run(self, script: Script, *words: str) -> str:
        keys = ("2", "dialer:", "dialer:0:room")
        return self.redis.get_value("EVALSHA", self._hashes[script], *keys, *words).decode()

    def wish(self, worker: str, *words: str) -> list[str]:
        """The answers to one batch."""
        answer = self.run(Script.BATCH, "e", worker, "1", *RULES, *words).split()
        assert answer[0] == "OPEN"
        return answer[3:]


@pytest.fixture(scope="module")
def clockwork() -> Iterator[Clockwork]:
    with RedisServer() as redis:
        yield Clockwork(redis)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(WORKERS)),
        st.sampled_from(["take", "take", "take", "free", "again", "put"]),
        st.integers(1, 2),
        st.integers(0, 30),
    ),
    max_size=60,
)


@settings(max_examples=40)
@given(st.integers(0, 4), STEPS)
def test_no_schedule_of_three_workers_passes_a_cap(
    clockwork: Clockwork, limit: int, steps: list[tuple[str, str, int, int]]
) -> None:
    """Against a model: sets of channels by client."""
    clockwork.begin()
    held: dict[int, dict[str, str]] = {1: {}, 2: {}}
    for number, (worker, what, client, pick) in enumerate(steps):
        clockwork.set(START + number * 1_000_000)  # nobody waits for so long
        server, mine = str(WORKERS[worker]), held[client]
        channels = sorted(channel for channel, owner in mine.items() if owner == worker)
        chosen = channels[pick % len(channels)] if channels else None
        if what == "take" or (what == "again" and chosen is None):
            answer = clockwork.wish(worker, "t", server, str(client), f"c{number}", str(limit), "0")
            assert answer == (["G"] if len(mine) < limit else ["F"])
            if answer == ["G"]:
                mine[f"c{number}"] = worker
            assert len(mine) <= limit
        elif what == "again" and chosen is not None:
            answer = clockwork.wish(worker, "t", server, str(client), chosen, str(limit), "0")
            assert answer == ["G"], "the same one again, after an answer that was lost"
        elif what == "put" and chosen is not None:
            assert clockwork.wish(worker, "p", server, str(client), chosen) == []
        elif what == "free":
            name = chosen or "nothing"
            assert clockwork.wish(worker, "f", server, name, "f", server, name) == []
            mine.pop(name, None)
    counts = clockwork.run(Script.READ, "e", "a", "1", "counts").split("\n")[1:]
    found = dict(zip(counts[::2], counts[1::2], strict=False))
    assert found == {str(client): str(len(mine)) for client, mine in held.items() if mine}


@settings(max_examples=30)
@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.sampled_from(sorted(WORKERS)), st.booleans()), max_size=40),
)
def test_servers_that_wait_for_one_client_come_to_equal_shares(
    clockwork: Clockwork, limit: int, ends: list[tuple[str, bool]]
) -> None:
    """Whoever frees a slot asks again in the same request, before the others hear of it; all always
    want more. At first one has all."""
    clockwork.begin()
    held: dict[str, list[str]] = {worker: [] for worker in WORKERS}
    names, now = iter(range(10_000)), START

    def take(worker: str, *words: str) -> bool:
        name = f"c{next(names)}"
        wish = ("t", str(WORKERS[worker]), "7", name, str(limit), "0")
        granted = clockwork.wish(worker, *words, *wish) == ["G"]
        if granted:
            held[worker].append(name)
        return granted

    while take("a"):
        pass
    rounds: list[tuple[str, bool]] = [(w, True) for w in WORKERS for _ in range(2 * limit)]
    for worker, eager in [*ends, *rounds, *rounds]:
        now += 1000
        clockwork.set(now)
        if held[worker]:
            freed = held[worker].pop(0)
            free = ("f", str(WORKERS[worker]), freed)
            if eager:
                take(worker, *free)
            else:
                clockwork.wish(worker, *free)
        for other in WORKERS:  # those who hear that there is room
            while take(other):
                pass
        assert sum(map(len, held.values())) == limit, "no slot stays empty while somebody wants it"
    sizes = [len(names) for names in held.values()]
    assert max(sizes) - min(sizes) <= 1


def test_with_one_slot_servers_take_turns(clockwork: Clockwork) -> None:
    clockwork.begin()
    held, order = "", ""
    for number in range(9):
        for worker, server in WORKERS.items():
            clockwork.set(START + 1000 * (3 * number + server))
            words = ("f", str(server), held) if order.endswith(worker) else ()
            name = f"{worker}{number}"
            if clockwork.wish(worker, *words, "t", str(server), "7", name, "1", "0") == ["G"]:
                order, held = order + worker, name
    assert "aa" not in order
    assert {order.count(worker) for worker in WORKERS} <= {len(order) // 3, len(order) // 3 + 1}


def test_who_stopped_asking_is_not_waited_for(clockwork: Clockwork) -> None:
    clockwork.begin()
    assert clockwork.wish("a", "t", "1", "7", "x", "1", "0") == ["G"]
    assert clockwork.wish("b", "t", "2", "7", "y", "1", "0") == ["F"]
    assert clockwork.wish("a", "f", "1", "x", "t", "1", "7", "z", "1", "0") == ["F"]
    clockwork.set(START + 500_000)
    assert clockwork.wish("a", "t", "1", "7", "z", "1", "0") == ["G"]


def test_a_slot_that_is_taken_again_at_once_wakes_nobody(clockwork: Clockwork) -> None:
    clockwork.begin()
    wanted = ("SISMEMBER", "dialer:wanted", "7")
    take = ("t", "1", "7")
    assert clockwork.wish("a", *take, "x", "1", "0", *take, "y", "1", "0") == ["G", "F"]
    assert clockwork.redis.command(*wanted) == b":1\r\n"
    assert clockwork.wish("a", "f", "1", "x", *take, "z", "1", "0") == ["G"]
    assert clockwork.redis.command(*wanted) == b":1\r\n", "it was not told that there is room"
    assert clockwork.wish("a", "f", "1", "z") == []
    assert clockwork.redis.command(*wanted) == b":0\r\n", "it was"


def test_only_the_servers_own_worker_takes_slots_there(clockwork: Clockwork) -> None:
    clockwork.begin()
    assert clockwork.wish("a", "t", "2", "7", "x", "9", "0") == ["C"]
    assert clockwork.wish("a", "t", "1", "7", "x", "9", "0", "t", "1", "8", "x", "9", "0") == [
        "G",
        "C",
    ], "one channel is one client's"


@settings(max_examples=60)
@given(
    st.sampled_from([0.3, 1.0, 2.5, 7.0, 40.0, 333.0]),
    st.lists(
        st.tuples(st.sampled_from(sorted(WORKERS)), st.integers(0, 4), st.integers(0, 400_000)),
        max_size=50,
    ),
)
def test_turns_are_spaced_over_all_workers(
    clockwork: Clockwork, rate: float, asked: list[tuple[str, int, int]]
) -> None:
    """Whoever asks, how many at once, and whenever: the reference is one line of arithmetic."""
    clockwork.begin()
    step, now, last = to_micros(space(rate)), START, 0
    for worker, many, pause in asked:
        now += pause
        clockwork.set(now)
        for word in clockwork.wish(worker, *("n", "7", str(step)) * many):
            place = max(last + step, now)
            if place - now > to_micros(AHEAD):
                assert word == f"L{place - now}"
            else:
                assert word == f"T{place}"
                last = place


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(-4_000_000, 4_000_000), st.integers(1, 6)), max_size=12),
)
def test_a_clock_that_is_set_opens_no_hole_and_does_not_block_for_ever(
    clockwork: Clockwork, jumps: list[tuple[int, int]]
) -> None:
    """A witness with a clock of its own. A worker tells at once that it saw a jump, as
    `ClockBounds` makes it, and uses no turn of the answer that showed it."""
    clockwork.begin()
    rate = 5.0
    step, true_now, offset, era = to_micros(space(rate)), 0, START, 0
    starts: list[int] = []
    for jump, many in jumps:
        true_now += 50_000
        offset += jump
        clockwork.set(true_now + offset)
        if abs(jump) > 4000:
            clockwork.wish("a", "n", "7", str(step))
            clockwork.run(Script.JUMP, "e", "a", "1", str(era))
            clockwork.run(Script.JUMP, "e", "b", "1", str(era))
            era += 1
        words = clockwork.wish("b", *("n", "7", str(step)) * many)
        starts += [int(word[1:]) - offset for word in words if word.startswith("T")]
    for first, beyond in zip(starts, starts[int(rate) :], strict=False):
        assert beyond - first >= 1_000_000
    true_now += to_micros(AHEAD + WINDOW)
    clockwork.set(true_now + offset)
    assert clockwork.wish("c", "n", "7", str(step))[0].startswith("T"), "it goes on"


def test_no_more_slots_are_granted_than_turns_come_soon(clockwork: Clockwork) -> None:
    clockwork.begin()
    step = to_micros(space(10.0))
    take = ("7", "c{}", "100", str(step))
    words = [w.format(n) for n in range(6) for w in ("t", "1", *take)]
    assert clockwork.wish("a", *words)[:3] == ["G", "G", "F57000"], "0.15 s of 0.1035 s each"
    clockwork.wish("a", "n", "7", str(step))
    other = ("t", "2", "7", "x", "100", str(step))
    assert clockwork.wish("b", *other)[0].startswith("F"), "the same line for all"
    clockwork.set(START + 600_000)
    assert clockwork.wish("b", *other) == ["G"], "who never asked for its turn is not waited for"


RATE = 40.0
SECONDS = 2.5


async def ask_turns(worker: Worker, until_then: float, into: list[Turn]) -> None:
    while time.monotonic() < until_then:
        turns = await asyncio.gather(*(worker.turn(7, RATE) for _ in range(3)))
        into += [turn for turn in turns if turn is not None]


@pytest.mark.realtime
async def test_as_a_witness_counts_them_turns_of_three_workers_keep_the_rolling_second() -> None:
    async with Crew() as crew:
        workers = [await crew.hire(server) for server in (1, 2, 3)]
        await until(lambda: all(w.may_write(s) for s, w in enumerate(workers, 1)))
        verdict, _ = await workers[0].take(7, cps=RATE)
        while verdict is not Verdict.GRANTED:  # until its clock is trusted
            verdict, _ = await workers[0].take(7, cps=RATE)
        begin = time.monotonic()
        turns: list[Turn] = []
        await asyncio.gather(*(ask_turns(w, begin + SECONDS, turns) for w in workers))
        chance = random.Random(1)
        for _ in range(20):
            starts = sorted(chance.uniform(t.not_before, t.not_after) for t in turns)
            for first, beyond in zip(starts, starts[int(RATE) :], strict=False):
                assert beyond - first >= 1.0
        spans = [other.not_before - one.not_before for one, other in pairwise(turns)]
        assert len(spans) > RATE * SECONDS * 0.9, "and they are nearly all used"


def test_what_another_has_meanwhile_is_neither_freed_nor_counted(clockwork: Clockwork) -> None:
    """The next owner may have called under the same ChannelId."""
    clockwork.begin()
    assert clockwork.wish("b", "t", "2", "7", "x", "1", "0") == ["G"]
    assert clockwork.wish("a", "f", "2", "x", "p", "2", "8", "y") == []
    assert clockwork.wish("b", "t", "2", "7", "z", "1", "0") == ["F"]
    clockwork.run(Script.BEAT, "e", "b", "1", "2", "2", "", "")
    assert clockwork.wish("a", "f", "2", "x") == [], "nobody's: it may be freed"
    clockwork.run(Script.BEAT, "e", "b", "1", "2", "", "2:-:0", "")
    assert clockwork.wish("b", "t", "2", "7", "z", "1", "0") == ["G"]
