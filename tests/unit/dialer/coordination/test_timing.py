"""What must hold between the times, whatever they are."""

from dialer.coordination.timing import Timing
from dialer.links import DELIVERY_SECONDS
from dialer.reconcile import CONFIRM, SETTLING


def test_a_lease_outlives_every_authority_and_one_lost_beat_stops_nothing() -> None:
    timing = Timing()
    assert timing.valid + timing.margin < timing.dead
    assert timing.valid > timing.glance
    assert timing.dead - timing.glance > 2 * (timing.retry + timing.timeout), "all are back"
    assert timing.dead < timing.forget


def test_a_dead_workers_servers_move_in_time_and_a_lost_redis_costs_little() -> None:
    timing = Timing()
    # Seen dead, asked for at the next sign of life, told in its answer.
    assert timing.dead + 2 * timing.beat + timing.timeout < 15
    # Noticed, waited for, opened, and told with the next sign of life.
    assert timing.beat + timing.retry + timing.valid + timing.margin + timing.beat < 5


def test_what_one_wrote_that_was_cut_off_rings_before_another_counts_it_as_gone() -> None:
    """Cut off from Redis and Asterisk at once it writes for `valid` more, and its kernel sends that
    for `DELIVERY_SECONDS`. The next owner asks for its second list `CONFIRM` after it took over at
    the soonest, `dead` after a beat that may have come `beat` before the cut."""
    timing = Timing()
    last_byte = timing.valid + DELIVERY_SECONDS
    assert last_byte + SETTLING < timing.dead - timing.beat + CONFIRM


def test_what_one_cannot_drive_is_left_to_another_only_after_several_looks_at_all_others() -> None:
    timing = Timing()
    assert timing.spare > 2 * timing.glance
