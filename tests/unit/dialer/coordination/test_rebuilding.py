"""What is loaded into an epoch before it opens."""

from typing import cast

from dialer.coordination.contract import Held, HeldSlot
from dialer.coordination.rebuilding import fill_epoch, lock_rebuild
from dialer.coordination.scripts import Script
from dialer.coordination.session import Session


class Recorder:
    def __init__(self, answer: str = "OK") -> None:
        self.asked: list[tuple[str, ...]] = []
        self.answer = answer

    async def run(self, script: Script, *words: str) -> str:
        assert script is Script.REBUILD
        self.asked.append(words)
        return self.answer


async def test_slots_and_the_last_start_of_each_client_are_loaded_then_it_opens() -> None:
    recorder = Recorder()
    held = Held((HeldSlot(7, 1, "one", 0.0),), ((7, 90.0), (8, 99.5), (7, 95.0), (8, 120.0)))
    await fill_epoch(cast(Session, recorder), held, now=100.0)
    assert recorder.asked == [("load", "7:5000000 8:0", "1", "7", "one"), ("open",)]


async def test_many_slots_go_in_several_requests_and_the_starts_once() -> None:
    recorder = Recorder()
    slots = tuple(HeldSlot(1, 2, f"c{n}", 0.0) for n in range(2500))
    await fill_epoch(cast(Session, recorder), Held(slots, ((1, 9.0),)), now=10.0)
    assert [(words[0], len(words)) for words in recorder.asked] == [
        ("load", 3002),
        ("load", 3002),
        ("load", 1502),
        ("open", 1),
    ]
    assert [words[1] for words in recorder.asked[:3]] == ["1:1000000", "", ""]


async def test_nothing_held_still_opens() -> None:
    recorder = Recorder()
    await fill_epoch(cast(Session, recorder), Held((), ()), now=10.0)
    assert recorder.asked == [("load", ""), ("open",)]


async def test_one_worker_does_it() -> None:
    assert await lock_rebuild(cast(Session, Recorder("OK")))
    assert not await lock_rebuild(cast(Session, Recorder("BUSY")))
    assert not await lock_rebuild(cast(Session, Recorder("OPEN")))
