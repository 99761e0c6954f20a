import random

import pytest

from dialer.delivery.following import HOME, LINE
from dialer.delivery.verdict import (
    KEPT_TEXT,
    Answer,
    Finding,
    Verdict,
    describe,
    judge_failure,
    judge_pace,
    record_verdict,
)
from dialer.states import DeliveryState
from dialer.store.contract import Task
from tests.unit.dialer.delivery.samples import NOW, make_delivery


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(500), "HTTP 500"),
        (Answer(500, text="oops"), "HTTP 500: oops"),
        (Answer(None, error="no answer within 15 s"), "no answer within 15 s"),
        (Answer(None), "no answer"),
    ],
)
def test_describe(answer: Answer, text: str) -> None:
    assert describe(answer) == text


def test_delivered_is_recorded_without_an_error() -> None:
    outcome = record_verdict(make_delivery(4), Answer(200), Verdict(Finding.DELIVERED), NOW)
    assert outcome.id == 4
    assert (outcome.delivered, outcome.dead, outcome.due_at) == (True, False, None)
    assert (outcome.status, outcome.error, outcome.counts, outcome.now) == (200, None, True, NOW)


def test_a_failed_try_is_pending_again() -> None:
    answer = Answer(500, text="x" * KEPT_TEXT)
    verdict = judge_failure(answer, 0, random.Random(1))
    outcome = record_verdict(make_delivery(4), answer, verdict, NOW)
    assert (outcome.delivered, outcome.dead) == (False, False)
    assert verdict.delay is not None
    assert outcome.due_at == NOW + verdict.delay
    assert outcome.error == "HTTP 500: " + "x" * KEPT_TEXT


def test_a_final_failure_is_dead() -> None:
    verdict = Verdict(Finding.FAILED, error="given up")
    outcome = record_verdict(make_delivery(4), Answer(None), verdict, NOW)
    assert (outcome.delivered, outcome.dead, outcome.due_at) == (False, True, None)


def test_a_paced_try_does_not_count() -> None:
    answer = Answer(429, retry_after=3.0)
    outcome = record_verdict(
        make_delivery(4), answer, judge_pace(answer, 5.0, random.Random(1)), NOW
    )
    assert not outcome.counts
    assert not outcome.dead
    assert outcome.due_at is not None
    assert NOW + 3.0 <= outcome.due_at <= NOW + 4.0


def test_a_look_counts_as_no_try_and_leaves_the_state_it_found() -> None:
    delivery = make_delivery(1, LINE, kind="sgapi", state=DeliveryState.ACCEPTED)
    task = Task(NOW, 1, state="processing")
    again = Verdict(Finding.FAILED, delay=5.0, error="HTTP 500", line=LINE, task=task)
    outcome = record_verdict(delivery, Answer(500), again, NOW)
    assert (outcome.counts, outcome.accepted, outcome.leaves) == (
        False,
        True,
        DeliveryState.ACCEPTED,
    )
    assert (outcome.endpoint, outcome.task, outcome.due_at) == (LINE, task, NOW + 5.0)
    lost = Verdict(Finding.ACCEPTED, delay=5.0, state=DeliveryState.PENDING, line=HOME)
    outcome = record_verdict(delivery, Answer(404), lost, NOW)
    assert (outcome.accepted, outcome.endpoint, outcome.error) == (False, HOME, None)
