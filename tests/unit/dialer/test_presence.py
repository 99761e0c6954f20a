"""Notes of processes: one each, under names that are taken again."""

from typing import Any

import pytest

from dialer.presence import STALE, Presence, read_notes
from dialer.store.contract import RuntimeNote
from tests.unit.dialer.clocks import FakeClock


class Notes:
    """The store as presence sees it."""

    def __init__(self) -> None:
        self.rows: dict[str, RuntimeNote] = {}

    async def put_runtime(self, values: dict[str, Any], now: float) -> None:
        self.rows |= {name: RuntimeNote(value, now) for name, value in values.items()}

    async def runtime(self) -> dict[str, RuntimeNote]:
        return dict(self.rows)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_processes_do_not_overwrite_each_other(notes: Notes, clock: FakeClock) -> None:
    one, two = (Presence(notes, clock, "worker", name) for name in ("a", "b"))
    for live in (1, 2):
        await one.say({"live": live})
        await two.say({"live": 10 * live})
    assert {name: note.value for name, note in notes.rows.items()} == {
        "worker/1": {"process": "a", "role": "worker", "live": 2},
        "worker/2": {"process": "b", "role": "worker", "live": 20},
    }


async def test_two_that_took_the_same_name_part_again(notes: Notes, clock: FakeClock) -> None:
    one, two = (Presence(notes, clock, "api", name) for name in ("a", "b"))
    await one.say({})
    del notes.rows["api/1"]  # as if `two` had looked before
    await two.say({})
    await one.say({})
    assert {name: note.value["process"] for name, note in notes.rows.items()} == {
        "api/1": "b",
        "api/2": "a",
    }


@pytest.mark.parametrize("orderly", [True, False])
async def test_the_name_of_one_that_is_gone_is_taken_again(
    notes: Notes, clock: FakeClock, orderly: bool
) -> None:
    gone = Presence(notes, clock, "worker", "a")
    await gone.leave()  # it never said anything
    assert notes.rows == {}
    await gone.say({})
    if orderly:
        await gone.leave()
    else:
        clock.advance(STALE + 0.1)
    assert read_notes(notes.rows, clock.wall) == {}
    await Presence(notes, clock, "worker", "b").say({})
    assert list(read_notes(notes.rows, clock.wall)) == ["worker/1"]


async def test_peers_are_those_that_dial_and_stay(notes: Notes, clock: FakeClock) -> None:
    ours = Presence(notes, clock, "worker", "a")
    await ours.say({"links": {}})
    await Presence(notes, clock, "api", "b").say({})
    assert not await ours.has_peers()
    other = Presence(notes, clock, "run", "c")
    await other.say({"links": {}, "stopping": True})
    assert not await ours.has_peers()
    await other.say({"links": {}, "stopping": False})
    assert await ours.has_peers()
    clock.advance(STALE + 0.1)
    assert not await ours.has_peers()


def test_notes_of_other_versions_are_no_processes() -> None:
    notes = {"links": RuntimeNote({"pbx1": "up"}, 100.0), "live": RuntimeNote(3, 100.0)}
    assert read_notes(notes, 100.0) == {}


async def test_one_of_those_of_some_roles_leads(notes: Notes, clock: FakeClock) -> None:
    first, second = (Presence(notes, clock, "deliver", name) for name in ("a", "b"))
    api = Presence(notes, clock, "api", "c")
    assert not first.leads("deliver")
    for _ in range(2):
        for one in (first, second, api):
            await one.say({})
    roles = ("run", "deliver")
    assert [one.leads(*roles) for one in (first, second)] == [True, False]
    assert [one.count(*roles) for one in (first, second)] == [2, 2]
    assert api.count("run", "api") == 1
    await first.leave()
    await second.say({})
    assert second.leads(*roles)
