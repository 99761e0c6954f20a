"""Lanes: order, loads that overlap with reservations, blocked items that block nobody."""

from dialer.lanes import AHEAD, FIRST_LOAD, HOLD_OFF, LARGEST_LOAD, Lane
from dialer.store.contract import Candidate
from tests.unit.dialer.builders import make_item


def make_lane() -> Lane:
    return Lane(queue_id=1, server_id=1, client_id=1, quick=False)


def never(_: Candidate) -> bool:
    return False


def take_ids(lane: Lane, now: float = 0.0, *, retry: bool = False) -> list[int]:
    taken = []
    while (item := lane.take(now, retry=retry, blocked=never)) is not None:
        taken.append(item.id)
    return taken


def test_fresh_items_go_in_the_order_received() -> None:
    lane = make_lane()
    lane.add_fresh([make_item(id=n) for n in (3, 5, 9)], asked=16, taken=set())
    assert take_ids(lane) == [3, 5, 9]
    assert lane.cursor == 9
    assert not lane.more


def test_a_full_load_means_that_there_is_more_and_the_next_is_larger() -> None:
    lane = make_lane()
    lane.add_fresh([make_item(id=n) for n in range(FIRST_LOAD)], FIRST_LOAD, set())
    assert lane.more
    assert lane.load_size == 2 * FIRST_LOAD
    for _ in range(10):
        lane.fresh.clear()
        lane.add_fresh([make_item(id=n) for n in range(lane.load_size)], lane.load_size, set())
    assert lane.load_size == LARGEST_LOAD


def test_an_item_on_its_way_or_held_is_not_taken_twice() -> None:
    lane = make_lane()
    lane.add_fresh([make_item(id=1), make_item(id=2)], 16, taken={2})
    lane.add_fresh([make_item(id=1)], 16, taken=set())
    assert take_ids(lane) == [1]


def test_retries_go_when_due_in_the_order_of_their_times() -> None:
    lane = make_lane()
    rows = [make_item(id=1, due_at=20.0), make_item(id=2, due_at=10.0)]
    lane.add_retries(rows, None, set(), now=9.0)
    assert lane.take(9.9, retry=True, blocked=never) is None
    assert take_ids(lane, now=15.0, retry=True) == [2]
    assert take_ids(lane, now=20.0, retry=True) == [1]


def test_the_next_look_for_retries_is_shortly_before_the_next_is_due() -> None:
    lane = make_lane()
    lane.retry_load_at = None
    lane.add_retries([], 100.0, set(), now=50.0)
    looks = [lane.retry_load_at]
    for due_at in (60.0, 200.0):
        lane.note_retry(due_at, now=50.0)
        looks.append(lane.retry_load_at)
    assert looks == [100.0 - AHEAD, 60.0 - AHEAD, 60.0 - AHEAD]


def test_a_blocked_item_keeps_its_place_and_blocks_nobody() -> None:
    lane = make_lane()
    lane.add_fresh([make_item(id=1), make_item(id=2)], 16, set())
    item = lane.take(0.0, retry=False, blocked=lambda row: row.id == 1)
    assert item is not None
    assert item.id == 2
    assert take_ids(lane) == [1]


def test_an_item_past_its_deadline_is_left_to_the_store() -> None:
    lane = make_lane()
    lane.add_fresh([make_item(id=1, deadline=5.0), make_item(id=2)], 16, set())
    assert take_ids(lane, now=5.0) == [2]
    assert not lane.held


def test_a_lane_that_was_refused_rests_and_starts_over() -> None:
    lane = make_lane()
    lane.add_fresh([make_item(id=7)], 16, set())
    generation = lane.generation
    lane.rest(now=100.0)
    assert lane.resting_until == 100.0 + HOLD_OFF
    assert (lane.cursor, lane.more, len(lane.fresh)) == (0, True, 0)
    assert lane.generation == generation + 1
    assert lane.needs_fresh
    assert lane.needs_retries(100.0)
    lane.rescan()  # by a clock that was set back the rest would last for an hour
    assert lane.resting_until == 0.0


def test_what_could_not_start_has_its_place_again() -> None:
    lane = make_lane()
    lane.add_fresh([make_item(id=n) for n in (1, 2, 3)], 16, set())
    lane.add_retries([make_item(id=n, due_at=5.0 + n) for n in (7, 8)], None, set(), 20.0)
    fresh = lane.take(20.0, retry=False, blocked=never)
    retry = lane.take(20.0, retry=True, blocked=never)
    assert fresh is not None
    assert retry is not None
    for item in (fresh, retry, fresh, retry):
        lane.put_back(item)
    assert take_ids(lane, 20.0) == [1, 2, 3]
    assert take_ids(lane, 20.0, retry=True) == [7, 8]


def test_behind_a_rescan_the_next_load_brings_what_could_not_start() -> None:
    lane = make_lane()
    items = [make_item(id=n) for n in (1, 2)]
    lane.add_fresh(items, 16, set())
    first = lane.take(0.0, retry=False, blocked=never)
    assert first is not None
    lane.rescan()
    lane.put_back(first)
    assert lane.held == set()
    lane.add_fresh(items, 16, set())
    assert take_ids(lane) == [1, 2]
