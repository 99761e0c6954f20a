"""Servers over workers: even, stable, one move at a time."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.coordination.spread import (
    Members,
    choose_give,
    choose_left,
    choose_spares,
    choose_takes,
)

WORKERS = st.sets(st.sampled_from("abcdefg"), min_size=1)
SERVERS = st.sets(st.integers(1, 12))


def settle(members: Members, owners: dict[int, str]) -> tuple[dict[int, str], int]:
    """Everybody acts by the same view in turn until nobody does anything; and the moves made."""
    moves = 0
    for _ in range(100):
        taken = {
            server: worker
            for worker in sorted(members)
            for server in choose_takes(worker, members, owners)
        }
        gives = {worker: choose_give(worker, members, owners) for worker in sorted(members)}
        given_up = [server for server in gives.values() if server is not None]
        assert len(given_up) <= 1, "one move at a time"
        assert not (taken and given_up), "nothing moves while a server has no owner"
        if not taken and not given_up:
            return owners, moves
        owners = {**owners, **taken}
        for server in given_up:
            del owners[server]
            moves += 1
    raise AssertionError("it never ends")


@given(WORKERS, SERVERS, st.data())
def test_from_any_state_it_ends_even_to_within_one(
    workers: set[str], servers: set[int], data: st.DataObject
) -> None:
    members = dict.fromkeys(workers, servers)
    owners = {
        server: owner
        for server in sorted(servers)
        if (owner := data.draw(st.sampled_from([None, *sorted(workers)]))) is not None
    }
    owners, _ = settle(members, owners)
    assert set(owners) == servers
    loads = [list(owners.values()).count(worker) for worker in workers]
    assert max(loads) - min(loads) <= 1


@given(WORKERS, SERVERS, st.data())
def test_a_worker_that_comes_moves_no_more_than_its_share(
    workers: set[str], servers: set[int], data: st.DataObject
) -> None:
    even, _ = settle(dict.fromkeys(workers, servers), {})
    _, moves = settle(dict.fromkeys((*workers, "z"), servers), even)
    assert moves <= len(servers) // (len(workers) + 1) + 1


@given(st.dictionaries(st.sampled_from("abcde"), SERVERS, min_size=1))
def test_whoever_offers_only_some_gets_only_those_and_it_still_ends(
    members: dict[str, set[int]],
) -> None:
    owners, _ = settle(members, {})
    assert set(owners) == set().union(*members.values())
    assert all(server in members[owner] for server, owner in owners.items())


def test_what_a_dead_worker_still_has_is_no_ones_to_take() -> None:
    members = {"a": {1, 2}, "b": {1, 2}}
    assert choose_takes("a", members, {1: "dead"}) == [2]
    assert choose_takes("b", members, {1: "dead"}) == []


def test_of_those_who_have_too_many_the_first_gives_to_one_who_can() -> None:
    members = {"a": {1, 2, 3, 4}, "b": {1, 2, 3, 4}, "c": {4}}
    owners = {1: "a", 2: "a", 3: "b", 4: "b"}
    assert choose_give("a", members, owners) is None, "c cannot drive 1 or 2"
    assert choose_give("b", members, owners) == 4
    assert choose_give("b", {"a": {1}, "b": {1}}, {1: "b"}) is None


def test_what_one_cannot_drive_is_for_those_who_can() -> None:
    members = {"a": {3}, "b": {1, 3}, "c": {2}}
    assert choose_spares("a", {1, 2, 4}, members) == {1, 2}
    assert choose_spares("a", {3}, {"a": {3}}) == set(), "its own word does not count"


def test_what_nobody_has_and_nobody_can_drive_is_tried() -> None:
    members = {"a": {3}, "b": {1, 3}}
    assert choose_left({1, 2, 4, 5}, members, {4: "b"}) == [2, 5]
