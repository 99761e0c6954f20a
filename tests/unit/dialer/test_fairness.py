"""Shares: slot time in proportion to weight, nobody starves, nobody saves up."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.fairness import FairShare


class Server:
    """Clients with endless work share `slots`; calls take what `length` says."""

    def __init__(self, slots: int, weights: dict[int, float]) -> None:
        self.shares = FairShare()
        self.slots = slots
        self.weights = weights
        self.now = 0.0
        self.live: list[tuple[float, int, str, float]] = []
        self.used: dict[int, float] = dict.fromkeys(weights, 0.0)
        self.count = 0
        for client, weight in weights.items():
            self.shares.enter(client, weight, 0.0)

    def run(self, until: float, clients: list[int], length: "dict[int, list[float]]") -> None:
        rng = random.Random(1)
        while self.now < until:
            while len(self.live) < self.slots:
                client = self.shares.least_served(clients, self.now)[0]
                self.count += 1
                call = f"c{self.count}"
                self.shares.started(client, call, self.now)
                self.live.append((self.now + rng.choice(length[client]), client, call, self.now))
            self.live.sort()
            end, client, call, start = self.live.pop(0)
            self.now = end
            self.used[client] += end - start
            self.shares.ended(client, call, end)


@pytest.mark.parametrize(("slots", "length"), [(10, 2.0), (10, 61.0), (10, 0.3), (3, 0.3)])
def test_equal_calls_give_one_to_three(slots: int, length: float) -> None:
    server = Server(slots, {1: 5, 2: 15})
    server.run(40 * length, [1, 2], {1: [length], 2: [length]})
    assert server.used[2] / server.used[1] == pytest.approx(3.0, rel=0.05)


def test_slot_time_is_shared_not_the_number_of_calls() -> None:
    server = Server(20, {1: 10, 2: 10})
    server.run(4_000, [1, 2], {1: [60.0], 2: [2.0, 3.0, 5.0]})
    assert server.used[1] / server.used[2] == pytest.approx(1.0, rel=0.08)


@settings(max_examples=8)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=6), st.integers(4, 40))
def test_every_client_gets_its_share(weights: list[int], slots: int) -> None:
    by_client = {i: float(w) for i, w in enumerate(weights)}
    server = Server(slots, by_client)
    clients = list(by_client)
    server.run(600.0, clients, {client: [1.0, 2.0, 4.0] for client in clients})
    total = sum(server.used.values())
    for client, weight in by_client.items():
        assert server.used[client] / total == pytest.approx(weight / sum(weights), abs=0.06)


def test_who_was_away_does_not_starve_those_who_stayed() -> None:
    server = Server(10, {1: 1, 2: 1})
    server.run(1000.0, [1], {1: [10.0], 2: [10.0]})
    before = dict(server.used)
    server.run(1200.0, [1, 2], {1: [10.0], 2: [10.0]})
    assert server.used[1] - before[1] > 600
    assert server.used[2] - before[2] > 600


def test_a_slot_that_was_never_used_is_not_charged() -> None:
    shares = FairShare()
    shares.enter(1, 1, 0.0)
    shares.enter(2, 1, 0.0)
    shares.started(1, "a", 0.0)
    assert shares.least_served([1, 2], 0.0)[0] == 2
    shares.ended(1, "a", 5.0, counts=False)
    assert shares.least_served([1, 2], 5.0)[0] == 1


def test_long_calls_are_charged_while_they_last() -> None:
    shares = FairShare()
    shares.enter(1, 1, 0.0)
    shares.enter(2, 1, 0.0)
    shares.started(1, "a", 0.0)
    shares.started(2, "b", 0.0)
    shares.ended(2, "b", 100.0)
    shares.started(2, "c", 100.0)
    assert shares.least_served([1, 2], 5000.0)  # both live and overdue: equal use, lower id first
    shares.ended(2, "c", 5000.0)
    assert shares.least_served([1, 2], 6000.0)[0] == 2


def test_many_calls_leave_nothing_behind() -> None:
    shares = FairShare()
    shares.enter(1, 1, 0.0)
    for number in range(5000):
        shares.started(1, str(number), float(number))
        shares.ended(1, str(number), number + 0.5)
    share = shares._shares[1]
    assert not share.running
    assert len(share.horizon) <= 64
    assert share.charged == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("first", [1, 2])
def test_who_comes_a_moment_later_loses_nothing(first: int) -> None:
    """The first guess of a call's length is charged before any call has ended."""
    server = Server(10, {})
    server.weights = {1: 5.0, 2: 15.0}
    server.used = {1: 0.0, 2: 0.0}
    server.shares.enter(first, server.weights[first], 0.0)
    for number in range(5):
        server.shares.started(first, f"early{number}", 0.0)
        server.live.append((0.3, first, f"early{number}", 0.0))
    server.now = 0.05
    server.shares.enter(3 - first, server.weights[3 - first], 0.05)
    server.run(9.0, [1, 2], {1: [0.3], 2: [0.3]})
    assert server.used[2] / server.used[1] == pytest.approx(3.0, rel=0.05)
