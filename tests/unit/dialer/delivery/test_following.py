import json
import random

import pytest

from dialer.delivery.following import (
    HOME,
    LINE,
    LONGEST,
    LOOKS,
    MOST_LOST,
    PROBE,
    UNSURE,
    judge_accepted,
    judge_look,
    name_task,
)
from dialer.delivery.verdict import KEPT_TEXT, Answer, Finding, Verdict
from dialer.states import DeliveryState
from dialer.store.contract import Task
from tests.unit.dialer.delivery.samples import NOW

NEW = Task(since=NOW)


def tell(status: int = 200, **data: object) -> Answer:
    return Answer(status, content=json.dumps({"status": "success", "data": data}).encode())


def fail(status: int, code: str = "") -> Answer:
    body = {"status": "error", "error": {"code": code, "message": "m", "details": None}}
    return Answer(status, text=code, content=json.dumps(body).encode())


def look(answer: Answer, task: Task = NEW, now: float = NOW) -> Verdict:
    return judge_look(answer, task, random.Random(1), now)


def test_where_a_task_is_asked_for() -> None:
    uuid = "550e8400-e29b-41d4-a716-446655440000"
    wanted = f"https://gw.example/base/cdrtosgapi/{uuid}"
    assert name_task("https://gw.example/base/cdrtosgapi", uuid) == wanted
    assert name_task("https://gw.example/base/cdrtosgapi/outbound_sales", uuid) == wanted
    assert name_task("https://gw.example", "a/b") == "https://gw.example/cdrtosgapi/a%2Fb"


@pytest.mark.parametrize(
    "answer",
    [tell(task_id="t", state="pending"), tell(201), Answer(200), fail(409, "DUPLICATE_CDR")],
)
def test_what_was_taken_is_looked_at_soon_in_a_line_of_its_own(answer: Answer) -> None:
    verdict = judge_accepted(answer, None, NOW)
    assert (verdict.finding, verdict.state, verdict.line) == (
        Finding.ACCEPTED,
        DeliveryState.ACCEPTED,
        LINE,
    )
    assert verdict.delay is not None
    assert LOOKS[0] <= verdict.delay <= LOOKS[0] * 1.2
    assert verdict.task is not None
    assert (verdict.task.since, verdict.task.looks) == (NOW, 0)


def test_a_task_that_is_done_at_once_is_not_asked_for() -> None:
    verdict = judge_accepted(tell(state="completed", sgapi_reference="ref_1"), None, NOW)
    assert (verdict.finding, verdict.delay, verdict.line) == (Finding.DELIVERED, None, HOME)
    assert verdict.task == Task(NOW, state="completed", reference="ref_1")
    assert judge_accepted(tell(state="failed"), None, NOW).finding is Finding.DEAD


def test_a_completed_task_ends_it_with_all_that_is_known() -> None:
    answer = tell(state="completed", sgapi_status="synced", sgapi_reference="sgapi_ref_12345")
    verdict = look(answer)
    assert (verdict.finding, verdict.delay, verdict.error) == (Finding.DELIVERED, None, None)
    assert verdict.task == Task(NOW, 1, 0, "completed", "synced", "sgapi_ref_12345")


def test_a_failed_task_is_a_dead_letter_with_its_reason() -> None:
    reason = "SGAPI validation failed: invalid queue_id"
    answer = tell(state="failed", sgapi_status="error", error_message=reason, retry_count=3)
    verdict = look(answer)
    assert (verdict.finding, verdict.delay, verdict.line) == (Finding.DEAD, None, HOME)
    assert verdict.error == f"the gateway's task failed: {reason}"
    assert verdict.task == Task(NOW, 1, 0, "failed", "error", None, reason, 3)


@pytest.mark.parametrize("state", ["pending", "processing", "retrying", "queued-by-novelty", None])
def test_what_is_under_way_is_asked_for_ever_more_rarely(state: str | None) -> None:
    task, waits = NEW, []
    for _ in range(len(LOOKS) + 1):
        verdict = look(tell(state=state, error_message="again soon", retry_count=1), task)
        assert (verdict.finding, verdict.state) == (Finding.ACCEPTED, DeliveryState.ACCEPTED)
        assert verdict.task is not None
        assert verdict.delay is not None
        task = verdict.task
        waits.append(verdict.delay)
    assert (task.looks, task.state, task.error) == (len(LOOKS) + 1, state, "again soon")
    for wait, wanted in zip(waits, (*LOOKS[1:], LOOKS[-1], LOOKS[-1]), strict=True):
        assert wanted <= wait <= wanted * 1.2


def test_looks_of_many_fall_due_together() -> None:
    due = {
        round(now + (judge_accepted(tell(), None, now).delay or 0), 3)
        for now in (NOW + n / 100 for n in range(1000))
    }
    assert len(due) <= 11  # a thousand calls in ten seconds


def test_what_never_ends_is_given_up() -> None:
    verdict = look(tell(state="processing"), Task(since=NOW - LONGEST))
    assert (verdict.finding, verdict.error) == (
        Finding.DEAD,
        "not completed after 3 days: processing",
    )
    assert look(Answer(500), Task(since=NOW - LONGEST)).finding is Finding.DEAD


@pytest.mark.parametrize("status", [None, 302, 408, 500, 503])
def test_a_look_that_fails_is_taken_again_and_kept(status: int | None) -> None:
    before = Task(NOW, 2, state="processing")
    verdict = look(Answer(status, error="broken"), before)
    assert (verdict.finding, verdict.state) == (Finding.FAILED, DeliveryState.ACCEPTED)
    assert verdict.delay is not None
    assert verdict.task == Task(NOW, 3, state="processing")


def test_an_answer_that_cannot_be_read_is_no_end() -> None:
    for content in (b"", b"ok", b"[]", b'{"data": "completed"}'):
        assert look(Answer(200, content=content)).finding is Finding.FAILED


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_stop_the_line(status: int) -> None:
    verdict = look(Answer(status))
    assert (verdict.finding, verdict.hold, verdict.delay) == (Finding.STOPPED, PROBE, PROBE)


def test_429_paces() -> None:
    verdict = look(Answer(429, retry_after=40.0))
    assert (verdict.finding, verdict.hold, verdict.counts) == (Finding.PACED, 40.0, False)


@pytest.mark.parametrize("status", [405, 501])
def test_a_gateway_that_tells_nothing_of_tasks_has_what_it_took(status: int) -> None:
    assert look(Answer(status)).finding is Finding.DELIVERED


def test_a_404_is_believed_the_third_time() -> None:
    task = NEW
    for _ in range(UNSURE - 1):
        verdict = look(Answer(404), task)
        assert verdict.finding is Finding.ACCEPTED
        assert verdict.task is not None
        task = verdict.task
    assert look(Answer(404, content=b"no such page"), task).finding is Finding.DELIVERED


def test_what_the_gateway_lost_is_sent_again_and_given_up_in_the_end() -> None:
    asked = Task(NOW, looks=UNSURE - 1)
    verdict = look(fail(404, "NOT_FOUND"), asked)
    assert (verdict.state, verdict.line) == (DeliveryState.PENDING, HOME)
    assert verdict.delay is not None
    assert verdict.task is not None
    assert verdict.task.lost == 1
    again = judge_accepted(tell(state="pending"), verdict.task, NOW + 9)
    assert again.task == Task(NOW + 9, 0, 1, "pending")
    given_up = look(fail(404, "NOT_FOUND"), Task(NOW, UNSURE - 1, MOST_LOST))
    assert given_up.finding is Finding.DEAD


def test_a_question_that_is_wrong_for_ever_is_a_dead_letter() -> None:
    verdict = look(fail(400, "INVALID_UUID"))
    assert (verdict.finding, verdict.delay) == (Finding.DEAD, None)
    assert "INVALID_UUID" in (verdict.error or "")


def test_foreign_words_are_kept_as_far_as_they_can_be() -> None:
    verdict = look(
        tell(
            state="pro\ncessing", sgapi_status=7, error_message="x" * 5000, retry_count=2**70,
            sgapi_reference="",
        )
    )  # fmt: skip
    task = verdict.task
    assert task is not None
    assert (task.state, task.sgapi_status, task.reference) == ("pro cessing", None, None)
    assert (len(task.error or ""), task.retry_count) == (KEPT_TEXT, None)
