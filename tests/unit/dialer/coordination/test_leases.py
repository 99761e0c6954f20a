"""One worker's leases by what it sees of the others. No clock: times are made up."""

from dataclasses import replace
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.coordination.leases import Changes, Leases
from dialer.coordination.timing import Timing
from dialer.coordination.view import State, View

TIMING = Timing()


def view(
    leases: dict[int, str],
    beats: dict[str, int] | None = None,
    state: State = State.OPEN,
    servers: frozenset[int] = frozenset({1, 2}),
) -> View:
    beats = beats or {"me": 1}
    return View(state, 0.0, 0, beats, dict.fromkeys(beats, servers), leases)


def make_leases() -> Leases:
    return Leases("me", TIMING, frozenset({1, 2}))


def look(leases: Leases, seen: View, start: float, end: float) -> None:
    """The same of the others with every sign of life, the last one at `end`."""
    while start < end:
        leases.see(replace(seen, beats={**seen.beats, "me": int(start * 10)}), start, start)
        start += TIMING.beat
    leases.see(replace(seen, beats={**seen.beats, "me": int(end * 10) + 1}), end, end)


def test_a_renewal_counts_from_when_it_was_sent() -> None:
    leases = make_leases()
    assert leases.may_write_until(1) == -inf
    assert leases.see(view({1: "me"}), sent=10.0, received=10.4) == Changes(granted=(1,))
    assert leases.may_write_until(1) == 10.0 + TIMING.valid
    assert leases.may_write_until(2) == -inf
    assert leases.see(view({1: "me"}), 11.0, 11.1) == Changes()
    assert leases.may_write_until(1) == 11.0 + TIMING.valid


def test_in_a_closed_epoch_nothing_may_be_written_and_nothing_is_lost_yet() -> None:
    leases = make_leases()
    leases.see(view({1: "me"}), 10.0, 10.1)
    assert leases.see(view({}, state=State.CLOSED), 11.0, 11.1) == Changes()
    assert leases.may_write_until(1) == -inf
    assert leases.mine == {1}
    assert leases.see(view({1: "other"}), 12.0, 12.1) == Changes(lost=(1,))
    assert leases.mine == set()


def test_a_lost_redis_ends_authority_but_not_leases() -> None:
    leases = make_leases()
    leases.see(view({1: "me"}), 10.0, 10.1)
    leases.stop()
    assert leases.may_write_until(1) == -inf
    assert leases.write_claims(12.5) == "1:2500000"
    assert leases.lose_all() == (1,)
    assert leases.write_claims(12.5) == ""


def test_what_was_given_up_is_told_until_redis_has_heard_it() -> None:
    leases = make_leases()
    leases.see(view({1: "me"}), 10.0, 10.1)
    leases.give_up(1)
    assert leases.may_write_until(1) == -inf
    assert leases.giving == {1}
    assert leases.see(view({1: "me"}), 10.2, 10.3) == Changes(), "that beat said nothing of it"
    leases.see(view({}), 10.4, 10.5, gave=(1,))
    assert leases.giving == set()


def test_a_lease_that_comes_for_a_server_no_more_offered_is_given_back() -> None:
    leases = make_leases()
    leases.offered = frozenset({2})
    assert leases.see(view({1: "me"}), 10.0, 10.1) == Changes()
    assert leases.giving == {1}


def test_servers_of_nobody_are_asked_for() -> None:
    leases = make_leases()
    assert leases.write_takes() == ""
    leases.see(view({}), 10.0, 10.1)
    assert leases.write_takes() == "1:-:0 2:-:0"


def test_a_silent_worker_is_dead_only_when_our_own_clock_saw_it_silent() -> None:
    leases = make_leases()
    beats = {"me": 1, "other": 5}
    look(leases, view({1: "other", 2: "me"}, beats), 10.0, 15.9)
    assert leases.write_takes() == ""
    leases.see(view({1: "other", 2: "me"}, beats), 16.1, 16.1)
    assert leases.write_takes() == "1:other:5", "if its beat is still that one"
    leases.see(view({1: "other", 2: "me"}, {"me": 1, "other": 6}), 16.2, 16.2)
    assert leases.write_takes() == "", "it lives"


def test_an_owner_that_never_beat_is_dead_after_as_long() -> None:
    leases = make_leases()
    leases.see(view({1: "ghost", 2: "me"}), 10.0, 10.0)
    assert leases.write_takes() == ""
    look(leases, view({1: "ghost", 2: "me"}), 10.0, 17.0)
    assert leases.write_takes() == "1:ghost:0"


def test_while_nobody_could_be_seen_nobody_was_silent() -> None:
    """Redis was away from all for 8 s; this worker is back first."""
    leases = make_leases()
    owners, beats = {1: "other", 2: "me"}, {"me": 1, "other": 5}
    leases.see(view(owners, beats), 10.0, 10.0)
    leases.see(view(owners, {**beats, "me": 2}), 18.0, 18.0)
    assert leases.write_takes() == ""
    look(leases, view(owners, beats), 18.7, 10.0 + TIMING.dead + 6.0)
    assert leases.write_takes() == ""
    look(leases, view(owners, beats), 22.7, 18.0 + TIMING.dead)
    assert leases.write_takes() == "1:other:5", "it did not come back"
    leases.see(view(owners, {**beats, "me": 5, "other": 6}), 24.1, 24.1)
    assert leases.write_takes() == ""


def test_after_a_long_pause_of_redis_nobody_is_forgotten() -> None:
    leases = make_leases()
    beats = {"me": 1, "other": 5}
    leases.see(view({1: "me"}, beats), 10.0, 10.0)
    leases.see(view({1: "me"}, {**beats, "me": 2}), 100.0, 100.0)
    assert leases.write_gone() == ""


def test_who_looks_seldom_sees_a_death_all_the_same() -> None:
    leases = make_leases()
    for at in range(10, 25, 3):
        leases.see(view({1: "other", 2: "me"}, {"me": at, "other": 5}), at, at)
    assert leases.write_takes() == "1:other:5"


def test_the_dead_are_forgotten_when_they_own_nothing() -> None:
    leases = make_leases()
    beats = {"me": 1, "other": 5}
    leases.see(view({1: "other"}, beats), 10.0, 10.0)
    look(leases, view({1: "other"}, beats), 10.7, 80.0)
    assert leases.write_gone() == ""
    leases.see(view({1: "me"}, {**beats, "me": 3}), 80.0, 80.0)
    assert leases.write_gone() == "other:5"


def test_another_worker_wants_a_server_once() -> None:
    leases = make_leases()
    leases.see(view({1: "me", 2: "me"}), 10.0, 10.0)
    beats = {"me": 2, "other": 1}
    assert leases.see(view({1: "me", 2: "me"}, beats), 11.0, 11.0).wanted == (1,)
    assert leases.see(view({1: "me", 2: "me"}, beats), 12.0, 12.0).wanted == ()
    leases.give_up(1)
    assert leases.see(view({2: "me"}, beats), 13.0, 13.0, gave=(1,)) == Changes()
    assert leases.see(view({1: "other", 2: "me"}, beats), 13.1, 13.1) == Changes()


def test_what_cannot_be_driven_goes_to_one_who_offers_it_for_a_while() -> None:
    leases = make_leases()
    owners, beats = {1: "me", 2: "other"}, {"me": 1, "other": 1}
    leases.see(view(owners, beats), 10.0, 10.0)
    leases.offer((1, 2), doubtful=(1, 2))
    assert leases.offered == frozenset()
    seen = [(at, leases.see(view(owners, {"me": at, "other": at}), at, at)) for at in range(11, 25)]
    assert [(at, changes.wanted) for at, changes in seen if changes.wanted] == [
        (11 + TIMING.spare, (1,)),
        (11 + 2 * TIMING.spare, (1,)),
    ]
    leases.give_up(1)
    leases.see(view({2: "other"}, {"me": 30, "other": 30}), 25.0, 25.0, gave=(1,))
    assert leases.write_takes() == "", "it is left to the other one"


def test_what_is_given_over_before_the_while_is_over_stays() -> None:
    """All who lost the same database say so one after another, and come back so."""
    leases = make_leases()
    leases.offer((1, 2), doubtful=(1, 2))
    for at in range(10, 40):
        offers = {"me": frozenset[int](), "other": frozenset({1, 2} if at % 5 else ())}
        seen = view({1: "me", 2: "other"}, {"me": at, "other": at})
        assert leases.see(replace(seen, offers=offers), at, at).wanted == ()


def test_what_nobody_offers_without_doubt_stays_where_it_is_and_is_taken_where_it_is_free() -> None:
    leases = make_leases()
    leases.offer((1, 2), doubtful=(1, 2))
    for at in range(10, 30):
        seen = view({1: "me"}, {"me": at, "other": at}, servers=frozenset())
        assert leases.see(seen, at, at).wanted == ()
    assert leases.write_takes() == "2:-:0"
    assert leases.see(view({1: "me", 2: "me"}, servers=frozenset()), 30.0, 30.0).granted == (2,)


def test_others_that_nobody_could_see_meanwhile_did_not_offer_it_all_the_while() -> None:
    leases = make_leases()
    leases.offer((1, 2), doubtful=(1,))
    owners = {1: "me", 2: "other"}
    leases.see(view(owners, {"me": 1, "other": 1}), 10.0, 10.0)
    assert leases.see(view(owners, {"me": 2, "other": 2}), 20.0, 20.0).wanted == ()


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["beat", "beat", "late", "freeze"]),
            st.floats(0.05, 4.0),
        ),
        max_size=60,
    )
)
def test_never_may_two_write_to_one_server(steps: list[tuple[str, str, float]]) -> None:
    """Workers beat, are answered late, or stand still for a while, in any order; Redis here is
    `lua/beat.lua` in a few lines of Python."""
    workers = {name: Leases(name, TIMING, frozenset({1})) for name in "abc"}
    beats: dict[str, int] = {}
    owner: str | None = None
    now = 0.0
    for name, what, seconds in steps:
        if what == "freeze":
            now += seconds
            continue
        leases, sent = workers[name], now
        takes = leases.write_takes()
        now += seconds if what == "late" else 0.001
        beats[name] = beats.get(name, 0) + 1
        if takes:
            _, holder, beat = takes.split(":")
            if holder == (owner or "-") and (owner is None or str(beats[owner]) == beat):
                owner = name
        held = {} if owner is None else {1: owner}
        leases.see(view(held, dict(beats), servers=frozenset({1})), sent, now)
        may = [name for name, one in workers.items() if one.may_write_until(1) > now]
        assert len(may) <= 1
