import random
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dialer.delivery.backlog import BREAK_AFTER, LONGEST_REST, PERIOD, Backlog, Limits, Page
from dialer.delivery.following import HOME, LINE
from dialer.delivery.verdict import Finding, Verdict
from dialer.store.contract import Delivery
from tests.unit.dialer.delivery.samples import NOW, make_delivery

DONE = Verdict(Finding.DELIVERED)
FAILED = Verdict(Finding.FAILED, delay=5.0, error="HTTP 500")
A, B = "https://a:443", "https://b:443"
ENDPOINTS = (A, B, "sgapi")


def take_all(backlog: Backlog, now: float = NOW) -> list[Delivery]:
    taken = []
    while (delivery := backlog.take(now)) is not None:
        taken.append(delivery)
    return taken


def finish(backlog: Backlog, delivery: Delivery, verdict: Verdict = DONE, now: float = NOW) -> None:
    backlog.answered(delivery, verdict, now)
    backlog.recorded(delivery)


def numbers(deliveries: list[Delivery]) -> list[int]:
    return [delivery.id for delivery in deliveries]


def test_each_endpoint_has_its_own_cap() -> None:
    backlog = Backlog(Limits(callback_in_flight=2, sgapi_in_flight=3))
    for endpoint, start in ((A, 0), (B, 100), ("sgapi", 200)):
        backlog.offer([make_delivery(start + n, endpoint) for n in range(10)])
    taken = take_all(backlog)
    assert sorted(numbers(taken)) == [0, 1, 100, 101, 200, 201, 202]
    assert backlog.in_flight == 7
    finish(backlog, taken[0])
    (following,) = take_all(backlog)
    assert following.endpoint == taken[0].endpoint


def test_endpoints_take_turns() -> None:
    backlog = Backlog(Limits(total_in_flight=4))
    backlog.offer([make_delivery(n, A) for n in range(8)])
    backlog.offer([make_delivery(100 + n, B) for n in range(8)])
    assert numbers(take_all(backlog)) == [0, 100, 1, 101]


def test_a_stuck_endpoint_leaves_the_others_alone() -> None:
    backlog = Backlog(Limits(line_in_memory=50, total_in_memory=50))
    backlog.offer([make_delivery(n, A) for n in range(500)])
    take_all(backlog)  # and no answer ever comes
    backlog.offer([make_delivery(1000, B)])
    assert numbers(take_all(backlog)) == [1000]


def test_overflow_stays_on_disk_and_is_read_in_order() -> None:
    backlog = Backlog(Limits(callback_in_flight=1, line_in_memory=4, total_in_memory=100, page=4))
    rows = [make_delivery(n, A) for n in range(1, 11)]
    backlog.offer(rows)
    sent = []
    while (delivery := backlog.take(NOW)) is not None:
        sent.append(delivery.id)
        finish(backlog, delivery)
        for page in backlog.pages():
            left = [row for row in rows if row.id not in sent and row.id > page.after_id]
            backlog.loaded(page, left[: page.limit])
    assert sent == list(range(1, 11))
    assert backlog.is_quiet(NOW)


def test_an_offer_during_the_last_read_is_not_lost() -> None:
    backlog = Backlog(Limits())
    backlog.flag([A])
    (page,) = backlog.pages()
    backlog.offer([make_delivery(2, A)])
    backlog.loaded(page, [make_delivery(1, A)])
    assert numbers(take_all(backlog)) == [1, 2]
    assert backlog.pages() == []


def test_an_offer_during_a_full_read_is_not_lost_whatever_its_id() -> None:
    backlog = Backlog(Limits(page=2))
    backlog.flag([A])
    (page,) = backlog.pages()
    backlog.offer([make_delivery(1, A)])
    backlog.loaded(page, [make_delivery(5, A), make_delivery(6, A)])
    (page,) = backlog.pages()
    assert page.after_id == 6
    backlog.loaded(page, [])
    (page,) = backlog.pages()
    assert page.after_id == 0
    backlog.loaded(page, [make_delivery(n, A) for n in (1, 5)])
    assert numbers(take_all(backlog)) == [5, 6, 1]


def test_a_read_that_began_before_a_delivery_ended_does_not_bring_it_back() -> None:
    backlog = Backlog(Limits())
    backlog.offer([make_delivery(1, A)])
    (delivery,) = take_all(backlog)
    backlog.flag([A])
    (page,) = backlog.pages()
    finish(backlog, delivery)
    backlog.loaded(page, [delivery])
    assert take_all(backlog) == []
    assert backlog.is_quiet(NOW)


def test_a_read_does_not_take_twice_what_is_held() -> None:
    backlog = Backlog(Limits(callback_in_flight=1))
    backlog.offer([make_delivery(1, A), make_delivery(2, A)])
    (first,) = take_all(backlog)
    backlog.flag([A])
    (page,) = backlog.pages()
    backlog.loaded(page, [make_delivery(1, A), make_delivery(2, A), make_delivery(3, A)])
    finish(backlog, first)
    (second,) = take_all(backlog)
    finish(backlog, second)
    assert numbers([first, second, *take_all(backlog)]) == [1, 2, 3]


def test_a_read_that_failed_is_wanted_again() -> None:
    backlog = Backlog(Limits())
    backlog.flag([A])
    (page,) = backlog.pages()
    assert backlog.pages() == []
    assert not backlog.is_hungry()
    backlog.unread(page)
    assert backlog.is_hungry()
    assert backlog.pages() == [page]


def test_flagging_during_a_pass_makes_another_pass() -> None:
    backlog = Backlog(Limits())
    backlog.flag([A])
    (page,) = backlog.pages()
    backlog.flag([A])
    backlog.loaded(page, [])
    assert backlog.pages() == [Page(A, 0, page.limit)]


def test_a_paced_endpoint_rests_as_long_as_it_asked_for() -> None:
    backlog = Backlog(Limits(callback_in_flight=1))
    backlog.offer([make_delivery(n, A) for n in (1, 2)])
    (first,) = take_all(backlog)
    finish(backlog, first, Verdict(Finding.PACED, delay=30.5, hold=30.0))
    assert take_all(backlog, NOW + 29.9) == []
    assert backlog.wakes_at() == NOW + 30.0
    assert backlog.resting(NOW) == {A: NOW + 30.0}
    assert backlog.is_quiet(NOW)
    assert numbers(take_all(backlog, NOW + 30.0)) == [2]


def test_a_stopped_endpoint_is_probed_one_at_a_time_until_it_accepts() -> None:
    backlog = Backlog(Limits(sgapi_in_flight=4))
    backlog.offer([make_delivery(n, "sgapi") for n in range(20)])
    for delivery in take_all(backlog):
        finish(backlog, delivery, Verdict(Finding.STOPPED, delay=300.0, hold=300.0))
    assert take_all(backlog, NOW + 299.0) == []
    (probe,) = take_all(backlog, NOW + 300.0)
    finish(backlog, probe, Verdict(Finding.STOPPED, delay=300.0, hold=300.0), NOW + 300.0)
    (probe,) = take_all(backlog, NOW + 600.0)
    finish(backlog, probe, DONE, NOW + 600.0)
    assert len(take_all(backlog, NOW + 600.0)) == 4


def test_an_endpoint_that_only_fails_gets_single_tries_with_growing_rests() -> None:
    backlog = Backlog(Limits())
    backlog.offer([make_delivery(n, A) for n in range(200)])
    now = NOW
    failed = 0
    while failed < BREAK_AFTER:
        for delivery in take_all(backlog, now):
            finish(backlog, delivery, FAILED, now)
            failed += 1
    rests = []
    for _ in range(8):
        wakes_at = backlog.wakes_at()
        if wakes_at is None:
            assert take_all(backlog, now) == []
            wakes_at = backlog.wakes_at()
        assert wakes_at is not None
        rests.append(wakes_at - now)
        now = wakes_at
        (probe,) = take_all(backlog, now)
        finish(backlog, probe, FAILED, now)
    assert rests[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(rests) == LONGEST_REST
    assert take_all(backlog, now) == []
    now += LONGEST_REST
    (probe,) = take_all(backlog, now)
    finish(backlog, probe, DONE, now)
    probes = take_all(backlog, now)  # closed again, and wider with every success
    assert len(probes) == 2
    for _ in range(Limits().callback_in_flight):
        finish(backlog, probes.pop(), DONE, now)
        probes += take_all(backlog, now)
    assert len(probes) == Limits().callback_in_flight


@pytest.mark.parametrize("verdict", [DONE, Verdict(Finding.DEAD, error="HTTP 410")])
def test_answers_that_say_nothing_against_the_endpoint_end_a_row_of_failures(
    verdict: Verdict,
) -> None:
    backlog = Backlog(Limits(callback_in_flight=1))
    backlog.offer([make_delivery(n, A) for n in range(4 * BREAK_AFTER)])
    for n in range(3 * BREAK_AFTER):
        (delivery,) = take_all(backlog)
        finish(backlog, delivery, verdict if n % BREAK_AFTER == BREAK_AFTER - 1 else FAILED)
    assert backlog.resting(NOW) == {}


def test_idle_lines_are_forgotten_and_failing_ones_are_not() -> None:
    backlog = Backlog(Limits())
    backlog.offer([make_delivery(1, A), make_delivery(2, B)])
    for delivery in take_all(backlog):
        finish(backlog, delivery, DONE if delivery.endpoint == A else FAILED)
    take_all(backlog)
    backlog.sweep(NOW)
    assert set(backlog._lines) == {B}
    backlog.recorded(make_delivery(1, A))  # late, for a line that is gone


class Outbox(RuleBasedStateMachine):
    """A store, its reads, and a sender, in any order. Invariant: never more in flight than the
    caps, nothing twice at once, and at the end everything committed was delivered."""

    @initialize(seed=st.integers(0, 999))
    def start(self, seed: int) -> None:
        self.limits = Limits(2, 3, 4, line_in_memory=3, total_in_memory=5, page=2)
        self.backlog = Backlog(self.limits)
        self.random = random.Random(seed)
        self.pending: dict[int, Delivery] = {}
        self.flying: list[Delivery] = []
        self.unrecorded: list[Delivery] = []
        self.reads: deque[tuple[Page, list[Delivery]]] = deque()
        self.delivered: list[int] = []
        self.last = 0
        self.now = NOW

    @rule(endpoint=st.sampled_from(ENDPOINTS), count=st.integers(1, 6))
    def commit(self, endpoint: str, count: int) -> None:
        made = [make_delivery(self.last + n, endpoint) for n in range(1, count + 1)]
        self.last += count
        self.pending |= {delivery.id: delivery for delivery in made}
        self.backlog.offer(made)

    @rule()
    def flag(self) -> None:
        self.backlog.flag({delivery.endpoint for delivery in self.pending.values()})

    @rule()
    def begin_reads(self) -> None:
        for page in self.backlog.pages():
            rows = [
                self.pending[n]
                for n in sorted(self.pending)
                if self.pending[n].endpoint == page.endpoint and n > page.after_id
            ]
            self.reads.append((page, rows[: page.limit]))

    @precondition(lambda self: self.reads)
    @rule(works=st.booleans())
    def end_read(self, works: bool) -> None:
        page, rows = self.reads.popleft()
        if works:
            self.backlog.loaded(page, rows)
        else:
            self.backlog.unread(page)

    @rule()
    def send(self) -> None:
        for delivery in take_all(self.backlog, self.now):
            assert delivery.id in self.pending
            assert delivery.id not in {d.id for d in self.flying + self.unrecorded}
            self.flying.append(delivery)

    @precondition(lambda self: self.flying)
    @rule(works=st.sampled_from([True, True, False]))
    def answer(self, works: bool) -> None:
        delivery = self.flying.pop(self.random.randrange(len(self.flying)))
        self.backlog.answered(delivery, DONE if works else FAILED, self.now)
        if works:
            self.unrecorded.append(delivery)
        else:  # pending again at once, found on disk
            self.backlog.recorded(delivery)
            self.backlog.flag([delivery.endpoint])

    @precondition(lambda self: self.unrecorded)
    @rule()
    def record(self) -> None:
        delivery = self.unrecorded.pop(0)
        del self.pending[delivery.id]
        self.delivered.append(delivery.id)
        self.backlog.recorded(delivery)

    @rule(seconds=st.floats(0.0, 40.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def caps_hold(self) -> None:
        assert len(self.flying) == self.backlog.in_flight <= self.limits.total_in_flight
        for endpoint in ENDPOINTS:
            cap = 3 if endpoint == "sgapi" else 2
            assert sum(d.endpoint == endpoint for d in self.flying) <= cap
        assert self.backlog.held <= 5 + len(ENDPOINTS) * 2 * 3 + len(self.unrecorded)

    def teardown(self) -> None:
        if not hasattr(self, "backlog"):
            return
        for _ in range(20 * self.last + 20):
            if not self.pending:
                break
            self.begin_reads()
            while self.reads:
                self.end_read(works=True)
            self.send()
            while self.flying:
                self.answer(works=True)
            while self.unrecorded:
                self.record()
            self.now += LONGEST_REST
        assert not self.pending, "lost"
        assert sorted(self.delivered) == list(range(1, self.last + 1))


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_looks_at_tasks_are_kept_slow() -> None:
    backlog = Backlog(Limits(tasks_in_flight=100, tasks_a_second=50.0))
    backlog.offer([make_delivery(n, LINE, kind="sgapi") for n in range(40)])
    started = []
    for tick in range(10):
        now = NOW + tick * PERIOD / 2
        for delivery in take_all(backlog, now):
            started.append((tick, delivery.id))
            finish(backlog, delivery, now=now)
    assert [tick for tick, _ in started] == [tick for tick in (0, 2, 4, 6, 8) for _ in range(5)]
    assert [number for _, number in started] == list(range(25))
    backlog.offer([make_delivery(100, "sgapi")])
    assert numbers(take_all(backlog, NOW + 4 * PERIOD)) == [100]


def test_nobody_waits_for_looks_that_are_kept_slow() -> None:
    backlog = Backlog(Limits(tasks_a_second=10.0))
    backlog.offer([make_delivery(n, LINE, kind="sgapi") for n in range(3)])
    (first,) = take_all(backlog)
    finish(backlog, first)
    assert take_all(backlog, NOW + PERIOD / 2) == []
    assert backlog.wakes_at() == NOW + PERIOD
    assert backlog.is_quiet(NOW + PERIOD / 2)


def test_failures_narrow_an_endpoint_before_it_rests_and_successes_widen_it() -> None:
    backlog = Backlog(Limits(callback_in_flight=8))
    backlog.offer([make_delivery(n, A) for n in range(100)])
    in_flight = deque(take_all(backlog))
    assert len(in_flight) == 8
    widths = []
    for verdict in (FAILED, FAILED, FAILED, *[DONE] * 9):
        finish(backlog, in_flight.popleft(), verdict)
        in_flight.extend(take_all(backlog))
        widths.append(len(in_flight))
    assert widths == [7, 6, 5, 4, 3, 4, 5, 6, 7, 8, 8, 8]


def test_among_several_a_line_that_fails_reads_and_keeps_no_more_than_it_soon_tries() -> None:
    """What is read is claimed, and what is kept is claimed anew."""
    backlog = Backlog(Limits(callback_in_flight=4), shared=True)
    rows = [make_delivery(n, A) for n in range(1, 17)]
    backlog.flag([A])
    (page,) = backlog.pages()
    assert page.limit == 4 * 4
    backlog.loaded(page, rows)
    first = take_all(backlog)
    assert len(backlog.kept()) == 16
    assert backlog.pages() == []  # enough waits
    finish(backlog, first[0], FAILED)
    assert backlog.kept() == {row.id for row in first[1:]}  # what waits may be another's
    for delivery in backlog.clear():
        assert delivery.id > len(first)
    (page,) = backlog.pages()
    assert page.limit == 2 * 2  # two at a time, after a failure
    assert Backlog(Limits()).kept() == set()


def test_among_several_a_slow_endpoint_has_little_claimed_and_sgapi_a_page() -> None:
    """What is held is claimed anew every few seconds, and of clients' endpoints there are many."""
    backlog = Backlog(Limits(), shared=True)
    backlog.flag([A, HOME])
    pages = {page.endpoint: page for page in backlog.pages()}
    assert {name: page.limit for name, page in pages.items()} == {A: 32, HOME: 200}
    backlog.loaded(pages[A], [make_delivery(n, A) for n in range(1, 33)])
    sent = [delivery for delivery in take_all(backlog) if delivery.endpoint == A]
    assert len(sent) == 8
    assert backlog.pages() == []  # 24 wait
    for delivery in sent:
        finish(backlog, delivery)
    take_all(backlog)
    (page,) = backlog.pages()
    assert (page.endpoint, page.limit) == (A, 32)
    assert len(backlog.kept()) + page.limit <= 7 * 8
