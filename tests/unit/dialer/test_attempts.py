"""How the end of an attempt is decided: the record, the retry, and what the client is promised."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.attempts import STAGES, LiveAttempt, Stage, conclude, rules_of, unplaced_report
from dialer.errors import IllegalTransition
from dialer.planner import Placement
from dialer.retry import RetryRules
from dialer.states import check_transition
from tests.unit.dialer.builders import make_client, make_item, make_queue, make_report, make_server


def make_attempt(**item: object) -> LiveAttempt:
    placement = Placement(make_item(1, **item), make_server(1), make_client(1), 1, "c", "a", "cdr")
    return LiveAttempt(placement, Stage.SENT, application="Wait", data="1")


def test_a_busy_call_is_retried_after_the_gap_by_our_clock() -> None:
    cdr, decision = conclude(make_attempt(), make_report("busy"), RetryRules(True, 1, 30.0), 5000.0)
    assert decision.next_at == 5030.0
    assert (cdr.final, cdr.next_attempt_at, cdr.accountcode) == (False, 5030.0, "client1")


def test_no_attempt_is_promised_after_the_deadline() -> None:
    rules = RetryRules(True, 1, 30.0)
    cdr, decision = conclude(make_attempt(deadline=5010.0), make_report("busy"), rules, 5000.0)
    assert decision.next_at == 5030.0
    assert (cdr.final, cdr.next_attempt_at) == (False, None)


def test_an_unplaced_attempt_counts_in_its_own_budget() -> None:
    report = unplaced_report("c", "a", 5000.0, "link lost before sending")
    attempt = make_attempt(unplaced=1)
    cdr, decision = conclude(attempt, report, RetryRules(True, 0, 30.0), 5000.0)
    assert decision.next_at == 5060.0
    assert (cdr.disposition, cdr.duration, cdr.error_message) == (
        "failed",
        0,
        "link lost before sending",
    )


def test_an_error_that_repeats_is_final() -> None:
    attempt = make_attempt()
    attempt.repeats = True
    report = unplaced_report("c", "a", 5000.0, "rejected by policy")
    assert conclude(attempt, report, RetryRules(True, 5, 1.0), 5000.0)[1].final


def test_the_record_has_the_recordings_address_at_its_server() -> None:
    attempt = make_attempt()
    server = replace(attempt.placement.server, recording_url="https://rec.example")
    attempt.placement = replace(attempt.placement, server=server)
    report = make_report(recording="/var/rec/client1/cdr.wav")
    cdr, _ = conclude(attempt, report, RetryRules(), 5000.0)
    assert cdr.recording_url == "https://rec.example/client1/cdr.wav"


def test_rules_come_from_the_queue() -> None:
    queue = make_queue(retry=False, retry_count=4, retry_gap=7)
    assert rules_of(queue) == RetryRules(False, 4, 7.0)


@given(st.lists(st.sampled_from(list(Stage)), max_size=10))
def test_stages_only_move_forward(steps: list[Stage]) -> None:
    order = list(Stage)
    stage = Stage.RESERVING
    for wanted in steps:
        try:
            check_transition(STAGES, stage, wanted)
        except IllegalTransition:
            continue
        assert order.index(wanted) > order.index(stage)
        stage = wanted


def test_every_stage_has_its_row() -> None:
    assert set(STAGES) == set(Stage)
    with pytest.raises(IllegalTransition):
        check_transition(STAGES, Stage.SETTLING, Stage.SENT)
