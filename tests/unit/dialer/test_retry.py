"""Which ended attempts are followed by another one, and when."""

from dataclasses import replace

import pytest

from dialer.retry import UNPLACED_GAP, RetryRules, Tried, decide_retry

BUSY = Tried("busy", ended_at=1000.0, attempts=1, unplaced=0, placed=True)
RULES = RetryRules(retry=True, count=2, gap=300.0)


@pytest.mark.parametrize("disposition", ["busy", "no-answer", "not-available", "congestion"])
def test_what_is_retried_waits_for_the_gap(disposition: str) -> None:
    decision = decide_retry(replace(BUSY, disposition=disposition), RULES, 0)
    assert decision.next_at == 1300.0
    assert not decision.final


@pytest.mark.parametrize("disposition", ["answered", "invalid", "cancel", "unknown"])
def test_what_is_never_retried(disposition: str) -> None:
    assert decide_retry(replace(BUSY, disposition=disposition), RULES, 5).final


def test_failed_is_retried_but_not_what_would_repeat() -> None:
    failed = replace(BUSY, disposition="failed", cause=38, sip_code=500)
    assert not decide_retry(failed, RULES, 0).final
    assert decide_retry(replace(failed, cause=21, sip_code=403), RULES, 0).final
    assert decide_retry(replace(failed, cause=58, sip_code=488), RULES, 0).final
    assert decide_retry(replace(failed, placed=False, unplaced=1, repeats=True), RULES, 0).final


@pytest.mark.parametrize(
    ("attempts", "count", "own", "final"),
    [(1, 0, 0, True), (1, 1, 0, False), (2, 1, 0, True), (2, 1, 3, False), (4, 1, 3, True)],
)
def test_attempts_are_one_plus_retries_and_the_items_own_beat_the_queues(
    attempts: int, count: int, own: int, final: bool
) -> None:
    tried = replace(BUSY, attempts=attempts)
    assert decide_retry(tried, RetryRules(True, count, 300.0), own).final is final


def test_a_queue_with_retry_off_stops_all() -> None:
    assert decide_retry(BUSY, RetryRules(False, 5, 300.0), own_retry=5).final


def test_a_quick_call_has_one_attempt() -> None:
    assert decide_retry(BUSY, RULES, 3, quick=True).final


def test_what_never_became_a_channel_has_a_budget_of_its_own() -> None:
    never = Tried("failed", ended_at=50.0, attempts=0, unplaced=1, placed=False)
    no_retries = RetryRules(True, 0, 300.0)
    assert decide_retry(never, no_retries, 0).next_at == 50.0 + UNPLACED_GAP
    assert decide_retry(replace(never, unplaced=3), no_retries, 0).final


def test_unknown_is_redialed_where_the_queue_says_so_within_its_attempts() -> None:
    tried = Tried("unknown", ended_at=1000.0, attempts=1, unplaced=0, placed=True)
    assert decide_retry(tried, RetryRules(count=2), 0).final
    rules = RetryRules(count=1, gap=30.0, redial_unknown=True)
    assert decide_retry(tried, rules, 0).next_at == 1030.0
    assert decide_retry(replace(tried, attempts=2), rules, 0).final
    assert decide_retry(replace(tried, disposition="answered"), rules, 0).final
    assert decide_retry(tried, rules, 0, quick=True).final
