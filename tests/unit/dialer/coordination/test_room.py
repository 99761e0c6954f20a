"""Asking again, once, at the right time."""

import asyncio

from dialer.coordination.room import Room
from tests.patience import PATIENCE


class Asked:
    def __init__(self, room: Room) -> None:
        self.times = 0
        self.event = asyncio.Event()
        room.ask_again = self.ask

    def ask(self) -> None:
        self.times += 1
        self.event.set()


async def test_a_freed_slot_of_a_refused_client_asks_at_once() -> None:
    room = Room(longest=60)
    asked = Asked(room)
    room.freed([1])
    assert asked.times == 0, "nobody was refused"
    room.refused(1, None)
    room.refused(2, None)
    room.freed([3])
    assert asked.times == 0
    room.freed([3, 2])
    assert asked.times == 1
    room.freed([1])
    assert asked.times == 1, "that was for all"


async def test_without_word_it_asks_after_the_longest_time() -> None:
    room = Room(longest=0.01)
    asked = Asked(room)
    room.refused(1, None)
    async with asyncio.timeout(PATIENCE):
        await asked.event.wait()
    assert asked.times == 1


async def test_the_nearest_of_several_times_counts_and_none_is_beyond_the_longest() -> None:
    room = Room(longest=60)
    asked = Asked(room)
    loop = asyncio.get_running_loop()
    before = loop.time()
    room.refused(1, 1000)
    assert room.due is not None
    assert 60 <= room.due - before < 61
    room.refused(2, 0.002)
    room.refused(3, 30)
    async with asyncio.timeout(PATIENCE):
        await asked.event.wait()
    assert asked.times == 1
    assert room.due is None


async def test_closed_it_asks_nobody() -> None:
    room = Room(longest=60)
    asked = Asked(room)
    room.refused(1, 0)
    room.close()
    assert room.due is None
    await asyncio.sleep(0)
    assert asked.times == 0
