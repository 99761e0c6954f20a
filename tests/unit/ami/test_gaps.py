"""Calls of which something was missed: an earlier life's, a lost link's, a lost Hangup's."""

import pytest

from ami.calls import CallEffect, CallEnded, CallProgressed, CallReport, CallTracker, Progress
from ami.causes import Disposition
from ami.events import LiveChannel
from tests.unit.ami.sequences import (
    ACTION,
    CALL,
    LEG_B,
    OWN_CHANNEL,
    START,
    answered_call,
    hungup,
    leg_b_call,
    responded,
)


def live(uniqueid: str, channel: str, *, up: bool = True) -> LiveChannel:
    return LiveChannel(uniqueid, CALL, channel, up, 30.0, ringing=not up)


def report_of(effects: list[CallEffect]) -> CallReport:
    (report,) = [effect.report for effect in effects if isinstance(effect, CallEnded)]
    return report


def resumed(answered_at: float | None) -> CallTracker:
    tracker = CallTracker()
    tracker.resume(CALL, ACTION, START, 0.0, answered_at)
    return tracker


def test_a_call_that_an_earlier_life_saw_answered_ends_as_answered() -> None:
    tracker = resumed(START + 3)
    report = report_of(tracker.settle_absent(CALL, START + 60, 50.0, "gone"))
    assert (report.disposition, report.end_estimated) == (Disposition.ANSWERED, True)
    assert (report.started_at, report.answered_at, report.ended_at) == (
        START,
        START + 3,
        START + 60,
    )


def test_one_that_it_did_not_is_unknown() -> None:
    report = report_of(resumed(None).settle_absent(CALL, START + 60, 50.0, "gone"))
    assert (report.disposition, report.answered_at, report.placed) == ("unknown", None, True)
    assert not report.unreported


def test_its_hangup_alone_ends_it_after_a_grace() -> None:
    tracker = resumed(START + 3)
    assert [type(effect) for effect in tracker.apply(hungup(START + 9, 16), 1.0)] == []
    report = report_of(tracker.expire(100.0))
    assert (report.disposition, report.ended_at, report.end_estimated) == (
        Disposition.ANSWERED,
        START + 9,
        False,
    )
    assert not report.unreported  # it may have been told while nobody listened


def test_an_answer_found_in_a_list_is_told_once() -> None:
    tracker = resumed(None)
    effects = tracker.adopt(CALL, CALL, [live(CALL, OWN_CHANNEL)], START + 20, 1.0)
    assert effects == [CallProgressed(CALL, Progress.ANSWERED, START + 20)]
    assert tracker.adopt(CALL, CALL, [live(CALL, OWN_CHANNEL)], START + 30, 2.0) == []
    known = resumed(START + 3)
    assert known.adopt(CALL, CALL, [live(CALL, OWN_CHANNEL)], START + 20, 1.0) == []
    ringing = resumed(None)
    assert ringing.adopt(CALL, CALL, [live(CALL, OWN_CHANNEL, up=False)], START, 1.0) == []


def test_what_was_not_run_is_forgotten_without_a_word() -> None:
    tracker = CallTracker()
    tracker.begin(CALL, ACTION, START, 0.0)
    assert tracker.awaits(ACTION)
    tracker.forget(CALL)
    tracker.forget("nobody")
    assert len(tracker) == 0
    assert not tracker.awaits(ACTION)
    assert tracker.apply(responded(START, 4), 1.0) == []
    tracker.begin(CALL, ACTION, START, 2.0)  # the same ids, once more


@pytest.mark.parametrize("gap", [False, True])
def test_a_missing_originate_response_is_told_unless_a_link_was_lost(gap: bool) -> None:
    for absent in (False, True):
        tracker = CallTracker()
        tracker.begin(CALL, ACTION, START, 0.0)
        if gap:
            tracker.note_gap()
        if absent:
            effects = tracker.settle_absent(CALL, START + 9, 9.0, "gone")
        else:
            tracker.apply(hungup(START + 1, 17), 1.0)
            effects = tracker.expire(100.0)
        assert report_of(effects).unreported is not gap


def test_one_that_came_is_not_missing() -> None:
    tracker = CallTracker()
    tracker.begin(CALL, ACTION, START, 0.0)
    effects = [effect for event in answered_call() for effect in tracker.apply(event, 1.0)]
    assert not report_of(effects).unreported


def without_leg_b_end() -> tuple[CallTracker, list[CallEffect]]:
    """Both legs talked; the link was lost while the second hung up; then the first hung up."""
    tracker, effects = CallTracker(), []
    tracker.begin(CALL, ACTION, START, 0.0)
    for event in leg_b_call("ANSWER", 16, None, 0):
        if getattr(event, "uniqueid", "") == LEG_B and type(event).__name__ == "ChannelHungUp":
            continue
        effects += tracker.apply(event, 1.0)
    return tracker, effects


def test_a_second_leg_whose_hangup_was_missed_is_let_go() -> None:
    tracker, effects = without_leg_b_end()
    assert not [effect for effect in effects if isinstance(effect, CallEnded)]
    assert tracker.further_legs(CALL) == (LEG_B,)
    report = report_of(tracker.lose_leg(CALL, LEG_B, 2.0))
    assert (report.disposition, report.end_estimated) == (Disposition.ANSWERED, False)
    assert len(tracker) == 0
    assert tracker.lose_leg(CALL, LEG_B, 3.0) == []
    assert tracker.further_legs(CALL) == ()


def test_a_leg_let_go_that_hangs_up_late_or_is_there_after_all() -> None:
    tracker = CallTracker()
    tracker.begin(CALL, ACTION, START, 0.0)
    for event in leg_b_call("ANSWER", 16, None, 0):
        if type(event).__name__ != "ChannelHungUp":
            tracker.apply(event, 1.0)
    assert tracker.lose_leg(CALL, LEG_B, 2.0) == []
    assert tracker.lose_leg(CALL, LEG_B, 2.0) == []
    (call,) = tracker.open_calls()
    assert call.channels_live == 1
    tracker.adopt(CALL, CALL, [live(LEG_B, "PJSIP/b-1")], START + 9, 3.0)
    (call,) = tracker.open_calls()
    assert call.channels_live == 2
    tracker.lose_leg(CALL, LEG_B, 4.0)
    tracker.apply(hungup(START + 10, 16, None, LEG_B), 5.0)
    (call,) = tracker.open_calls()
    assert call.channels_live == 1
    tracker.apply(hungup(START + 11, 16), 6.0)
    assert len(tracker) == 0
