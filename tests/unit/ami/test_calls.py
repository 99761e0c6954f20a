"""The call tracker: every row of the outcome table, odd orders, and one end for every call."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.calls import (
    NO_CHANNEL_GRACE,
    NO_RESPONSE_GRACE,
    CallEffect,
    CallEnded,
    CallProgressed,
    CallReport,
    CallTracker,
    Progress,
)
from ami.causes import Disposition
from ami.events import DialProgress, Event, LiveChannel, ServerBooted, ServerShutdown
from ami.translate import translate
from ami.wire import Decoder
from tests.unit.ami.sequences import (
    ACTION,
    CALL,
    LEG_B,
    OWN_CHANNEL,
    START,
    answered_call,
    bridged,
    call_id_told,
    created,
    dial_ended,
    dialed,
    hungup,
    leg_b_call,
    local_call,
    progressed,
    recorded,
    refused_call,
    responded,
    ringing,
    timed_out_call,
    up,
)

CAPTURES = Path(__file__).parents[2] / "captures" / "asterisk-22.10.1"


def track(events: Iterable[Event], *, cancel: bool = False) -> tuple[CallTracker, list[CallEffect]]:
    tracker = CallTracker()
    tracker.begin(CALL, ACTION, START - 0.5, 0.0)
    if cancel:
        tracker.cancelling(CALL)
    effects: list[CallEffect] = []
    for event in events:
        effects += tracker.apply(event, 1.0)
    return tracker, effects


def reports(effects: Iterable[CallEffect]) -> list[CallReport]:
    return [effect.report for effect in effects if isinstance(effect, CallEnded)]


def only_report(events: Iterable[Event], *, cancel: bool = False) -> CallReport:
    tracker, effects = track(events, cancel=cancel)
    effects += tracker.expire(100.0)
    (report,) = reports(effects)
    assert len(tracker) == 0
    assert tracker.next_expiry() is None
    return report


D = Disposition
OUTCOMES: dict[str, tuple[list[Event], bool, D, int | None, int | None, int | None, bool]] = {
    # name: events, cancelled, disposition, cause, SIP code, reason, rang
    "answered, cleared by us": (answered_call(0), False, D.ANSWERED, 0, None, 4, True),
    "answered, cleared by them": (answered_call(16), False, D.ANSWERED, 16, None, 4, True),
    "answered, leg B busy": (
        leg_b_call("BUSY", 17, 486, 17), False, D.ANSWERED, 17, None, 4, True,
    ),
    "answered, hung up by us": (answered_call(0), True, D.ANSWERED, 0, None, 4, True),
    "busy": (refused_call("BUSY", 17, 486), False, D.BUSY, 17, 486, 0, False),
    "busy everywhere": (refused_call("BUSY", 17, 600, rang=True), False, D.BUSY, 17, 600, 0, True),
    "our timeout": (timed_out_call(19, 480, rang=True), False, D.NO_ANSWER, 19, 480, 3, True),
    "our timeout before 22.8": (
        timed_out_call(0, None, rang=True), False, D.NO_ANSWER, 0, None, 3, True,
    ),
    "dead trunk": (timed_out_call(19, 480, rang=False), False, D.NOT_AVAILABLE, 19, 480, 3, False),
    "silent peer": (refused_call("NOANSWER", 18, 408), False, D.NOT_AVAILABLE, 18, 408, 0, False),
    "not available": (refused_call("NOANSWER", 19, 480), False, D.NOT_AVAILABLE, 19, 480, 0, False),
    "rang, then unavailable": (
        refused_call("NOANSWER", 19, 480, rang=True), False, D.NO_ANSWER, 19, 480, 0, True,
    ),
    "early media, then unavailable": (
        refused_call("NOANSWER", 19, 480, rang=True, progress=DialProgress.PROGRESS),
        False, D.NO_ANSWER, 19, 480, 0, True,
    ),
    "trying, then unavailable": (
        [*refused_call("NOANSWER", 19, 480)[:2], progressed(START + 1, DialProgress.PROCEEDING),
         *refused_call("NOANSWER", 19, 480)[2:]],
        False, D.NOT_AVAILABLE, 19, 480, 0, False,
    ),
    "unallocated": (refused_call("NOANSWER", 1, 404), False, D.INVALID, 1, 404, 0, False),
    "malformed": (refused_call("NOANSWER", 28, 484), False, D.INVALID, 28, 484, 0, False),
    "rejected by policy": (refused_call("NOANSWER", 21, 403), False, D.FAILED, 21, 403, 0, False),
    "declined": (refused_call("NOANSWER", 21, 603, rang=True), False, D.BUSY, 21, 603, 0, True),
    "rejected without a code": (refused_call("NOANSWER", 21, None), False, D.BUSY, 21, None, 0,
                                False),
    "congestion": (refused_call("CONGESTION", 34, 503), False, D.CONGESTION, 34, 503, 0, False),
    "network trouble": (refused_call("NOANSWER", 38, 500), False, D.FAILED, 38, 500, 0, False),
    "codecs": (refused_call("NOANSWER", 58, 488), False, D.FAILED, 58, 488, 0, False),
    "hung up by us": (
        refused_call("NOANSWER", 0, None, rang=True), True, D.CANCEL, 0, None, 0, True,
    ),
    "busy before our hangup came": (
        refused_call("BUSY", 17, 486), True, D.BUSY, 17, 486, 0, False,
    ),
    "hung up by somebody else": (
        refused_call("NOANSWER", 0, None, rang=True), False, D.FAILED, 0, None, 0, True,
    ),
    "no channel": ([responded(START, 0)], False, D.FAILED, None, None, 0, False),
    "Local, busy tone": (local_call(5, 0, 0, None), False, D.BUSY, 0, None, 5, False),
    "Local, congestion tone": (local_call(8, 0, 0, None), False, D.CONGESTION, 0, None, 8, False),
    "Local, leg busy": (local_call(0, 0, 17, 486), False, D.BUSY, 17, 486, 0, False),
    "Local, leg unallocated": (local_call(8, 0, 1, 404), False, D.INVALID, 1, 404, 8, False),
    "Local, leg rejected, its cause passed on": (
        local_call(0, 21, 21, 403), False, D.FAILED, 21, 403, 0, False,
    ),
    "Local, the dialplan's own cause": (local_call(0, 17, 34, 503), False, D.BUSY, 17, None, 0,
                                        False),
    "Local, leg rang out": (
        local_call(0, 16, 19, 480, rang=True), False, D.NO_ANSWER, 19, 480, 0, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(name: str) -> None:
    events, cancel, disposition, cause, sip_code, reason, rang = OUTCOMES[name]
    report = only_report(events, cancel=cancel)
    assert report.disposition is disposition
    assert (report.cause, report.sip_code, report.reason) == (cause, sip_code, reason)
    assert report.rang is rang
    assert report.placed is (name != "no channel")
    assert report.end_estimated is False


def test_times_are_asterisks_own() -> None:
    report = only_report(answered_call())
    assert (report.started_at, report.ringing_at) == (START, START + 1)
    assert (report.answered_at, report.ended_at) == (START + 3, START + 10)
    assert report.cause_text == "text of 16"
    assert report.dial_status == "ANSWER"


def test_progress_alone_is_no_ring_time() -> None:
    events = refused_call("BUSY", 17, 486, rang=True, progress=DialProgress.PROGRESS)
    report = only_report(events)
    assert report.rang
    assert report.ringing_at is None


def test_no_channel_takes_the_responses_time_and_waits_for_channels() -> None:
    tracker, effects = track([responded(START + 1, 0)])
    assert effects == []
    assert tracker.next_expiry() == 1.0 + NO_CHANNEL_GRACE
    assert tracker.expire(1.0 + NO_CHANNEL_GRACE - 0.001) == []
    (report,) = reports(tracker.expire(1.0 + NO_CHANNEL_GRACE))
    assert (report.started_at, report.ended_at) == (START + 1, START + 1)
    assert report.detail is not None
    assert not report.placed


def test_channel_events_that_lag_behind_a_failure_stop_its_grace() -> None:
    events = refused_call("BUSY", 17, 486)
    tracker, effects = track([events[-1], events[0]])
    assert tracker.next_expiry() is None
    for event in events[1:-1]:
        effects += tracker.apply(event, 2.0)
    (report,) = reports(effects)
    assert report.disposition is Disposition.BUSY


def test_hangup_without_a_response_ends_after_its_grace() -> None:
    tracker, effects = track(refused_call("BUSY", 17, 486)[:-1])
    assert reports(effects) == []
    assert tracker.next_expiry() == 1.0 + NO_RESPONSE_GRACE
    (report,) = reports(tracker.expire(1.0 + NO_RESPONSE_GRACE))
    assert report.disposition is Disposition.BUSY
    assert report.reason is None


def test_a_live_or_answered_call_never_ends_by_grace() -> None:
    for events in (answered_call()[:-1], [responded(START, 4)], [created(START)]):
        tracker, _ = track(events)
        assert tracker.next_expiry() is None
        assert tracker.expire(1e9) == []
        assert CALL in tracker


def test_success_takes_back_a_grace_that_other_channels_started() -> None:
    half = hungup(START, 0, None, f"{CALL};2", "Local/1@out-00000001;2")
    tracker, _ = track([half])
    assert tracker.next_expiry() is not None
    tracker.apply(responded(START + 1, 4), 2.0)
    assert tracker.next_expiry() is None
    assert tracker.expire(1e9) == []


@pytest.mark.parametrize("mangled", ["another's action", None])
def test_a_response_without_our_action_id_is_nobodys(mangled: str | None) -> None:
    """A refused duplicate carries the Uniqueid of the live call."""
    tracker, effects = track([created(START), responded(START, 0, mangled)])
    assert reports(effects) == []
    assert tracker.dropped == 1
    (call,) = tracker.open_calls()
    assert not call.response_seen


def test_a_refused_duplicate_ends_alone() -> None:
    tracker, effects = track(answered_call()[:-1])
    tracker.begin(f"{CALL}-2", "second", START, 1.0)
    effects += tracker.apply(responded(START, 0, "second"), 1.0)
    ended = reports([*effects, *tracker.expire(1.0 + NO_CHANNEL_GRACE)])
    assert [report.channel_id for report in ended] == [f"{CALL}-2"]
    (report,) = reports(tracker.apply(answered_call()[-1], 4.0))
    assert report.disposition is Disposition.ANSWERED


def test_leg_b_that_talked() -> None:
    report = only_report(leg_b_call("ANSWER", 16, None, 0))
    assert report.connected_b
    leg_b = report.leg_b
    assert leg_b is not None
    assert (leg_b.dial_status, leg_b.cause) == ("ANSWER", 16)
    assert (leg_b.answered_at, leg_b.ended_at) == (START + 4, START + 9)
    assert report.ringing_at == START + 1


def test_leg_b_that_was_busy() -> None:
    report = only_report(leg_b_call("BUSY", 17, 486, 17))
    assert not report.connected_b
    leg_b = report.leg_b
    assert leg_b is not None
    assert (leg_b.dial_status, leg_b.cause, leg_b.sip_code) == ("BUSY", 17, 486)
    assert leg_b.answered_at is None


def test_the_second_leg_that_talked_is_leg_b() -> None:
    """A Queue rings several members; the first one dialed answers."""
    late = "1795219500.8"
    events = leg_b_call("ANSWER", 16, None, 0)
    events[-1:-1] = [
        created(START + 4, late, "PJSIP/agent-2"),
        dialed(START + 4, late, "PJSIP/agent-2", CALL),
        dial_ended(START + 4.1, "CANCEL", late, "PJSIP/agent-2", CALL),
        hungup(START + 4.1, 26, None, late, "PJSIP/agent-2"),
    ]
    report = only_report(events)
    assert report.leg_b is not None
    assert report.leg_b.channel == "PJSIP/provider1-00000002"


def test_a_local_second_leg_is_not_the_called_partys_side() -> None:
    """Dial(Local/…): what its far half dials rings on leg B's side."""
    first, second = "Local/7@in-00000009;1", "Local/7@in-00000009;2"
    far, phone = "1795219500.20", "PJSIP/agent-00000004"
    events = answered_call()
    events[-1:-1] = [
        created(START + 4, LEG_B, first),
        created(START + 4, f"{LEG_B}.1", second),
        dialed(START + 4, LEG_B, first, CALL),
        created(START + 4.1, far, phone),
        dialed(START + 4.1, far, phone, f"{LEG_B}.1"),
        hungup(START + 5, 17, 486, far, phone),
        hungup(START + 5, 0, None, f"{LEG_B}.1", second),
        hungup(START + 5, 0, None, LEG_B, first),
    ]
    events = [event for event in events if event not in (ringing(START + 1),)]
    events.remove(progressed(START + 1.01))
    events.append(ringing(START + 4.2, far, phone))
    events[-1], events[-2] = events[-2], events[-1]
    report = only_report(events)
    assert report.ringing_at is None
    assert not report.rang
    assert report.leg_b is not None
    assert report.leg_b.channel == first


def test_half_of_a_local_channel_hanging_up_is_no_end() -> None:
    first, second = "Local/1@out-00000001;1", "Local/1@out-00000001;2"
    events = [
        created(START, CALL, first),
        created(START, f"{CALL};2", second),
        up(START + 1, CALL, first),
        responded(START + 1, 4),
        hungup(START + 2, 20, None, f"{CALL};2", second),
    ]
    tracker, effects = track(events)
    assert reports(effects) == []
    (report,) = reports(tracker.apply(hungup(START + 3, 16, None, CALL, first), 2.0))
    assert (report.disposition, report.cause) == (Disposition.ANSWERED, 16)
    assert report.ended_at == START + 3


def test_a_call_lasts_until_its_last_channel() -> None:
    """A Local channel that optimizes itself away leaves both phones talking."""
    events = leg_b_call("ANSWER", 16, None, 0)
    events[-2], events[-1] = hungup(START + 5, 0), hungup(START + 60, 16, None, LEG_B, "PJSIP/b")
    _, effects = track(events[:-1])
    assert reports(effects) == []
    assert only_report(events).ended_at == START + 60


def test_joined_calls_keep_their_channels_apart() -> None:
    """Two calls in one conference: the younger one's channels get the older one's Linkedid."""
    tracker, _ = track(answered_call()[:-1])
    tracker.begin("younger", "its-action", START, 1.0)
    tracker.apply(created(START, "younger"), 1.0)  # with CALL's Linkedid already
    tracker.apply(responded(START, 4, "its-action", "younger"), 1.0)
    tracker.apply(bridged(START + 5, "younger", OWN_CHANNEL), 1.0)
    (ended,) = reports(tracker.apply(hungup(START + 6, 16, None, "younger"), 1.0))
    assert ended.channel_id == "younger"
    (ended,) = reports(tracker.apply(answered_call()[-1], 1.0))
    assert ended.channel_id == CALL


def test_events_after_the_end_and_of_others_are_counted_and_dropped() -> None:
    tracker, _ = track(answered_call())
    assert len(tracker) == 0
    for event in answered_call():
        assert tracker.apply(event, 2.0) == []
    assert tracker.dropped == len(answered_call())
    assert tracker._by_channel == tracker._by_action == {}


def test_server_events_belong_to_no_call() -> None:
    tracker, _ = track([ServerShutdown(START, True, False), ServerBooted(START, 0.0)])
    assert tracker.dropped == 0
    assert CALL in tracker


def test_progress_is_told_once_and_in_order() -> None:
    events = leg_b_call("ANSWER", 16, None, 0)
    _, effects = track([event for event in events for _ in range(2)])
    told = [effect for effect in effects if isinstance(effect, CallProgressed)]
    assert [effect.progress for effect in told] == list(Progress)
    assert [effect.at for effect in told] == [START, START + 1, START + 3, START + 4.02]


def test_ringing_after_the_answer_is_not_told() -> None:
    _, effects = track([created(START), responded(START + 3, 4), ringing(START + 1)])
    assert [e.progress for e in effects if isinstance(e, CallProgressed)] == [
        Progress.STARTED,
        Progress.ANSWERED,
    ]


def test_begin_twice_is_refused() -> None:
    tracker, _ = track([])
    with pytest.raises(ValueError, match="tracked already"):
        tracker.begin(CALL, "other", START, 1.0)
    with pytest.raises(ValueError, match="tracked already"):
        tracker.begin("other", ACTION, START, 1.0)


def test_rejected_call_ends_at_once_as_not_placed() -> None:
    tracker, _ = track([])
    (report,) = reports(tracker.rejected(CALL, START + 1, 1.0, "Channel not specified"))
    assert (report.disposition, report.placed) == (Disposition.FAILED, False)
    assert report.detail == "Channel not specified"
    assert (report.started_at, report.ended_at) == (START - 0.5, START + 1)
    assert tracker.rejected(CALL, START + 1, 1.0, "again") == []


def test_a_rejected_call_that_rings_goes_on() -> None:
    tracker, _ = track([created(START)])
    assert tracker.rejected(CALL, START + 1, 1.0, "lost") == []
    assert CALL in tracker


def live(uniqueid: str, channel: str, *, is_up: bool, linkedid: str = CALL) -> LiveChannel:
    return LiveChannel(uniqueid, linkedid, channel, is_up, 30.0)


def test_adopted_call_ends_without_a_response() -> None:
    tracker = CallTracker()
    channels = [
        live(CALL, OWN_CHANNEL, is_up=True),
        live("elsewhere", "PJSIP/x", is_up=True, linkedid="elsewhere"),
    ]
    tracker.adopt(CALL, ACTION, channels, START + 30, 1.0)
    (call,) = tracker.open_calls()
    assert (call.answered, call.channels_seen, call.channels_live) == (True, 1, 1)
    (report,) = reports(tracker.apply(hungup(START + 50, 16), 2.0))
    assert report.disposition is Disposition.ANSWERED
    assert (report.started_at, report.answered_at, report.ended_at) == (
        START,
        START + 30,
        START + 50,
    )


def test_adopted_ringing_call_still_waits_for_its_response() -> None:
    tracker = CallTracker()
    tracker.adopt(CALL, ACTION, [live(CALL, OWN_CHANNEL, is_up=False)], START, 1.0)
    assert tracker.apply(hungup(START + 50, 17, 486), 2.0) != []  # STARTED alone
    (report,) = reports(tracker.apply(responded(START + 50, 0), 2.0))
    assert report.disposition is Disposition.BUSY


def test_adoption_merges_into_a_known_call() -> None:
    tracker, effects = track(answered_call()[:-2])
    tracker.adopt(CALL, ACTION, [live(CALL, OWN_CHANNEL, is_up=True)], START + 30, 3.0)
    effects += tracker.apply(answered_call()[-1], 4.0)
    (report,) = reports(effects)
    assert (report.started_at, report.answered_at) == (START, START + 3)


def test_adoption_without_channels_waits_for_the_sweep() -> None:
    tracker = CallTracker()
    tracker.adopt(CALL, ACTION, [], START, 1.0)
    (call,) = tracker.open_calls()
    assert (call.answered, call.channels_live, call.last_event_at) == (False, 0, 1.0)
    assert tracker.next_expiry() is None
    (report,) = reports(tracker.settle_absent(CALL, START + 9, 2.0, "not on the server"))
    assert (report.disposition, report.end_estimated) == (Disposition.UNKNOWN, True)
    assert report.placed
    assert report.ended_at == START + 9


def test_absent_answered_call_stays_answered() -> None:
    tracker, _ = track(answered_call()[:-1])
    (report,) = reports(tracker.settle_absent(CALL, START + 99, 2.0, "gone"))
    assert (report.disposition, report.end_estimated) == (Disposition.ANSWERED, True)
    assert (report.ended_at, report.detail) == (START + 99, "gone")
    assert tracker.settle_absent(CALL, START + 99, 2.0, "gone") == []


def test_absent_call_whose_hangup_was_seen_is_decided_by_it() -> None:
    tracker, _ = track(refused_call("BUSY", 17, 486)[:-1])
    (report,) = reports(tracker.settle_absent(CALL, START + 99, 2.0, "gone"))
    assert (report.disposition, report.end_estimated) == (Disposition.BUSY, False)
    assert report.ended_at == START + 2


def test_cancelling_an_unknown_call_is_nothing() -> None:
    tracker = CallTracker()
    tracker.cancelling("nobody")
    assert len(tracker) == 0


WHOLE = [*OUTCOMES, "leg B answers", "recorded"]


def whole_call(name: str) -> list[Event]:
    if name == "recorded":
        *begun, end = leg_b_call("ANSWER", 16, None, 0)
        told = [recorded(START + 3.05), recorded(START + 3.06, "/var/r/other.wav")]
        return [*begun, *told, call_id_told(START + 9, "id-1@host"), end]
    return leg_b_call("ANSWER", 16, None, 0) if name not in OUTCOMES else OUTCOMES[name][0]


def test_the_report_names_the_recording() -> None:
    assert only_report(whole_call("recorded")).recording == "/var/r/call.wav"
    assert only_report(whole_call("leg B answers")).recording is None


def test_the_report_names_the_call_id() -> None:
    assert only_report(whole_call("recorded")).sip_call_id == "id-1@host"
    assert only_report(whole_call("leg B answers")).sip_call_id is None


def test_a_recording_of_a_call_that_is_not_ours_is_dropped() -> None:
    tracker = CallTracker()
    assert tracker.apply(recorded(START), 1.0) == []
    assert (tracker.dropped, len(tracker)) == (1, 0)


def test_a_recording_told_of_on_another_leg_is_the_calls() -> None:
    *begun, end = answered_call()
    tracker, _ = track(begun)
    tracker.apply(recorded(START + 4, uniqueid=LEG_B, channel="PJSIP/c-2"), 1.0)
    effects = tracker.apply(end, 1.0) + tracker.apply(
        hungup(START + 11, 16, uniqueid=LEG_B, channel="PJSIP/c-2"), 1.0
    )
    (report,) = reports(effects)
    assert report.recording == "/var/r/call.wav"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(WHOLE), st.randoms(use_true_random=False), st.data())
def test_any_order_gives_the_same_report(
    name: str, rng: random.Random, data: st.DataObject
) -> None:
    """Complete sets: the last of the two that end a call comes last, all else in any order."""
    events = whole_call(name)
    ends = [event for event in events if event == events[-1] or event == responded_of(events)]
    last = data.draw(st.sampled_from(ends))
    rest = [event for event in events if event is not last]
    rest += data.draw(st.lists(st.sampled_from(events), max_size=4)) if rest else []
    rest = [event for event in rest if event != last]
    rng.shuffle(rest)
    assert only_report([*rest, last]) == only_report(events)


def responded_of(events: Sequence[Event]) -> Event:
    return next(event for event in events if type(event) is type(responded(0, 0)))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_shuffled_duplicated_and_missing_events_never_give_two_ends(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=2))
    pool = [event for name in names for event in whole_call(name)]
    events = data.draw(st.lists(st.sampled_from(pool), max_size=30))
    tracker, effects = track(events, cancel=data.draw(st.booleans()))
    effects += tracker.expire(1e9)
    effects += tracker.settle_absent(CALL, START + 1e3, 1e9, "swept")
    assert len(reports(effects)) == 1
    assert len(tracker) == 0
    assert tracker._by_channel == tracker._by_action == {}


RECORDED = {
    "recorded_dial", "recorded_dial_bridged", "recorded_dial_leg_b_busy",
    "recorded_dial_leg_b_no_answer", "recorded_dial_leg_b_no_contact", "recorded_far_end_clears",
    "recorded_local", "recorded_playback", "recorded_unknown_application", "recorded_wait",
}  # fmt: skip
CAPTURED = {
    "local_answer": Disposition.ANSWERED,
    "local_answer_optimized": Disposition.ANSWERED,
    "local_busy": Disposition.BUSY,
    "local_dial_leg_b_answer": Disposition.ANSWERED,
    "local_no_such_context": Disposition.FAILED,
    "local_ring_timeout": Disposition.NO_ANSWER,
    "local_unallocated": Disposition.INVALID,
    "dial_leg_a_busy": Disposition.BUSY,
    "dial_leg_a_ends_first": Disposition.ANSWERED,
    "dial_leg_b_answer": Disposition.ANSWERED,
    "dial_leg_b_busy": Disposition.ANSWERED,
    "dial_leg_b_no_answer": Disposition.ANSWERED,
    "queue": Disposition.ANSWERED,
    **dict.fromkeys(RECORDED, Disposition.ANSWERED),
    "recorded_early_media_busy": Disposition.BUSY,
    "recorded_bad_name": Disposition.ANSWERED,
    "recorded_unknown_profile": Disposition.ANSWERED,
    "00_answer": Disposition.ANSWERED,
    "01_busy": Disposition.BUSY,
    "02_ring_timeout": Disposition.NO_ANSWER,
    "03_congestion": Disposition.CONGESTION,
    "04_unallocated": Disposition.INVALID,
    "05_unavailable": Disposition.NOT_AVAILABLE,
    "06_slow_answer": Disposition.ANSWERED,
    "08_drop_at_once": Disposition.ANSWERED,
    "09_ring_then_busy": Disposition.BUSY,
    "10_early_media_busy": Disposition.BUSY,
    "11_reject": Disposition.FAILED,
    "dead_trunk": Disposition.NOT_AVAILABLE,
    "dead_trunk_32s": Disposition.NOT_AVAILABLE,
    "no_contact": Disposition.FAILED,
    "unknown_endpoint": Disposition.FAILED,
    "unknown_technology": Disposition.FAILED,
    "hangup_answered": Disposition.ANSWERED,
    "duplicate_channel_id": Disposition.ANSWERED,
    "prefix_channel_id": Disposition.ANSWERED,
}

TALKED_TO_LEG_B = {
    "local_dial_leg_b_answer", "local_answer_optimized", "dial_leg_a_ends_first",
    "dial_leg_b_answer", "queue",
    "recorded_dial", "recorded_dial_bridged",
}  # fmt: skip


@pytest.mark.parametrize("name", CAPTURED)
def test_capture_of_asterisk(name: str) -> None:
    base = name.replace("_", "-")
    tracker = CallTracker()
    tracker.begin(f"{base}-channel", f"{base}-action", 0.0, 0.0)
    messages = Decoder().feed((CAPTURES / f"{name}.ami").read_bytes())
    effects: list[CallEffect] = []
    for message in messages:
        event = translate(message, 0.0)
        if event is not None:
            effects += tracker.apply(event, 0.0)
    (report,) = reports([*effects, *tracker.expire(10.0)])
    assert report.disposition is CAPTURED[name]
    assert report.placed is (name not in ("no_contact", "unknown_endpoint", "unknown_technology"))
    assert 1.7e9 < report.started_at <= report.ended_at
    assert report.connected_b is (name in TALKED_TO_LEG_B)
    file = f"/var/lab/recordings/captures/{base}.wav"
    assert report.recording == (file if name in RECORDED else None)
