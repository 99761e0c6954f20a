import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami import Disposition
from ami.trace import Direction, Record, write_note
from dialer.replay.follower import NO_BEGIN, NO_END, RESTARTED, Follower, TracedCall
from tests.unit.dialer.replay.traced import (
    CAPTURES,
    CREATED,
    DIALED,
    FAILURE,
    HUNG_UP,
    ORIGINATE,
    SUCCESS,
    UP,
    encode,
    follow,
    record,
)


def only(calls: list[TracedCall]) -> TracedCall:
    (call,) = calls
    return call


def disposition(call: TracedCall) -> Disposition | None:
    return None if call.report is None else call.report.disposition


@pytest.mark.parametrize("sent", [True, False])
def test_an_answered_call_with_and_without_its_action(sent: bool) -> None:
    messages = [CREATED, DIALED, UP, SUCCESS, HUNG_UP]
    call = only(follow(*([ORIGINATE] if sent else []), *messages))
    assert disposition(call) is Disposition.ANSWERED
    assert call.report is not None
    assert (call.report.started_at, call.report.answered_at, call.report.ended_at) == (
        1000.0,
        1003.0,
        1010.5,
    )
    assert call.originated
    assert call.timed
    assert call.origin is not None
    assert (call.origin.number, call.origin.application) == ("9001", "Wait")
    assert call.origin.caller_id == '"Lab" <5551000>'


def test_a_response_without_an_action_id_is_matched_by_uniqueid() -> None:
    call = only(follow(CREATED, UP, SUCCESS.replace("|ActionID: a1", ""), HUNG_UP))
    assert call.originated
    assert call.report is not None
    assert call.report.reason == 4


def test_a_failure_never_ends_a_call_that_is_seen_live() -> None:
    """A second Originate with a live call's id is refused, and its response names that call."""
    refused = FAILURE.replace("a1", "a2").replace("1003.1", "1001.0")
    call = only(follow(CREATED, refused, UP, SUCCESS, HUNG_UP))
    assert disposition(call) is Disposition.ANSWERED
    call = only(follow(CREATED, refused, HUNG_UP.replace("Cause: 16", "Cause: 17")))
    assert call.report is not None
    assert call.report.reason is None  # nine seconds apart: it was another's


@pytest.mark.parametrize("order", [(FAILURE, HUNG_UP), (HUNG_UP, FAILURE)])
def test_a_failure_at_the_time_of_the_hangup_is_the_call_s_own(order: tuple[str, str]) -> None:
    first, second = (m.replace("1003.1", "1010.4").replace("Cause: 16", "Cause: 17") for m in order)
    call = only(follow(CREATED, DIALED, first, second))
    assert disposition(call) is Disposition.BUSY
    assert call.report is not None
    assert call.report.reason == 0
    assert call.origin is not None
    assert call.origin.number == "9001"


def test_a_failure_alone_is_a_call_that_made_no_channel() -> None:
    call = only(follow(FAILURE.replace("PJSIP/carrier-00000001", "PJSIP/9001@nowhere")))
    assert disposition(call) is Disposition.FAILED
    assert call.origin is not None
    assert call.origin.number == "9001"


def test_an_originate_that_was_refused_made_no_call() -> None:
    call = only(follow(ORIGINATE, "Response: Error|ActionID: a1|Message: Extension does not exist"))
    assert disposition(call) is Disposition.FAILED
    assert call.report is not None
    assert call.report.detail == "Extension does not exist"


def test_our_hangup_makes_it_a_cancel_where_the_trace_holds_it() -> None:
    hung_up = HUNG_UP.replace("Cause: 16", "Cause: 0")
    ours = "Action: Hangup|ActionID: a2|Channel: c1"
    assert (
        disposition(only(follow(ORIGINATE, CREATED, ours, hung_up, FAILURE))) is Disposition.CANCEL
    )
    assert disposition(only(follow(ORIGINATE, CREATED, hung_up, FAILURE))) is Disposition.FAILED


def test_calls_held_in_part_are_reported_as_such() -> None:
    call = only(follow(UP, HUNG_UP))
    assert (call.channel_id, call.report, call.missing) == ("c1", None, NO_BEGIN)
    call = only(follow(CREATED, UP, SUCCESS))
    assert (call.channel_id, call.report, call.missing) == ("c1", None, NO_END)
    assert call.originated
    assert only(follow(ORIGINATE)).missing == NO_END


GONE = HUNG_UP.replace("Cause: 16", "Cause: 17").replace("1010.5", "1003.1")
LEG_B = CREATED.replace("Uniqueid: c1", "Uniqueid: b1")


@pytest.mark.parametrize(
    "held", [(GONE, FAILURE), (FAILURE, GONE), (FAILURE, LEG_B, GONE), (DIALED, FAILURE)]
)
def test_a_failure_is_not_all_of_a_call_whose_channel_is_seen(held: tuple[str, ...]) -> None:
    """A recording that began in mid-call: neither when it began nor whether it rang is known."""
    call = only(follow(*held))
    assert (call.channel_id, call.report, call.missing) == ("c1", None, NO_BEGIN)
    assert call.originated
    assert call.origin is not None


def test_who_originated_a_call_is_not_known_without_its_beginning() -> None:
    assert not only(follow(UP, HUNG_UP)).of_nobody
    assert only(follow(CREATED, UP, HUNG_UP)).of_nobody
    assert not only(follow(CREATED, DIALED, UP, HUNG_UP)).of_nobody


def test_second_legs_are_no_calls() -> None:
    leg = CREATED.replace("Uniqueid: c1", "Uniqueid: b1")
    gone = HUNG_UP.replace("Uniqueid: c1", "Uniqueid: b1")
    dial = DIALED.replace("|DestUniqueid: c1", "|Uniqueid: c1|Linkedid: c1|DestUniqueid: b1")
    call = only(follow(CREATED, UP, SUCCESS, leg, dial, gone, HUNG_UP))
    assert call.channel_id == "c1"
    assert call.report is not None
    assert call.report.leg_b is not None


def test_without_linkedids_a_dialed_channel_joins_the_call_that_dialed_it() -> None:
    def old(message: str) -> str:
        return message.replace("|Linkedid: c1", "")

    leg = old(CREATED).replace("c1", "b1")
    dial = "Event: Dial|SubEvent: Begin|Timestamp: 1004|UniqueID: c1|DestUniqueID: b1"
    calls = follow(old(CREATED), old(UP), leg, dial, old(HUNG_UP).replace("c1", "b1"), old(HUNG_UP))
    assert only(calls).channel_id == "c1"


def test_without_linkedids_legs_behind_local_channels_join_the_call() -> None:
    """As Asterisk 11 tells it: the caller dials ;1, ;2 dials another ;1, its ;2 dials a phone."""

    def begin(uniqueid: str, channel: str) -> str:
        return f"Event: Newchannel|Timestamp: 1000|Channel: {channel}|Uniqueid: {uniqueid}"

    def dial(caller: str, called: str) -> str:
        return (
            f"Event: Dial|SubEvent: Begin|Timestamp: 1001|UniqueID: {caller}|DestUniqueID: {called}"
        )

    def end(uniqueid: str) -> str:
        return f"Event: Hangup|Timestamp: 1009|Channel: x|Uniqueid: {uniqueid}|Cause: 16"

    calls = follow(
        begin("c1", "SIP/a-1"),
        *(begin("l1", "Local/1@x-1;1"), begin("l2", "Local/1@x-1;2"), dial("c1", "l1")),
        *(begin("m1", "Local/2@x-2;1"), begin("m2", "Local/2@x-2;2"), dial("l2", "m1")),
        *(begin("b1", "SIP/b-1"), dial("m2", "b1")),
        *map(end, ("b1", "m2", "m1", "l2", "l1", "c1")),
    )
    assert only(calls).channel_id == "c1"
    assert only(calls).report is not None


def test_without_linkedids_what_a_dialed_channel_brought_along_comes_with_it() -> None:
    """Both Local channels are there before either is dialed, and the inner one is dialed first."""
    names = {"l1": "Local/1@x-1;1", "l2": "Local/1@x-1;2", "b1": "SIP/b-1"}
    new = [f"Event: Newchannel|Channel: {n}|Uniqueid: {u}" for u, n in names.items()]
    dials = [
        f"Event: Dial|SubEvent: Begin|UniqueID: {caller}|DestUniqueID: {called}"
        for caller, called in (("l2", "b1"), ("c1", "l1"))
    ]
    ends = [f"Event: Hangup|Channel: x|Uniqueid: {u}|Cause: 16" for u in ("b1", "l2", "l1", "c1")]
    calls = follow("Event: Newchannel|Channel: SIP/a-1|Uniqueid: c1", *new, *dials, *ends)
    assert only(calls).channel_id == "c1"


def test_inbound_calls_are_not_originated() -> None:
    call = only(follow(CREATED, UP, HUNG_UP))
    assert not call.originated
    assert disposition(call) is Disposition.ANSWERED


def test_an_originate_without_a_channel_id_is_found_by_its_channel() -> None:
    named = ORIGINATE.replace("|ChannelId: c1", "")
    call = only(follow(named, CREATED, UP, HUNG_UP))
    assert call.originated
    assert call.origin is not None
    assert call.origin.number == "9001"


def test_what_comes_again_after_a_call_s_end_is_late() -> None:
    follower = Follower()
    messages = [CREATED, UP, SUCCESS, HUNG_UP]
    assert len(follow(*messages, *messages, follower=follower)) == 1
    assert follower.late


def test_an_id_that_is_used_again_later_is_another_call() -> None:
    messages = [CREATED, UP, SUCCESS, HUNG_UP]
    later = [m.replace("Timestamp: 1", "Timestamp: 2") for m in messages]
    assert [call.first_at for call in follow(*messages, *later)] == [1000.0, 2000.0]


def test_a_restart_ends_what_was_open() -> None:
    booted = "Event: FullyBooted|Timestamp: 1100.0|Uptime: 5|Status: Fully Booted"
    call = only(follow(CREATED, UP, SUCCESS, booted))
    assert call.report is not None
    assert (call.report.disposition, call.report.end_estimated) == (Disposition.ANSWERED, True)
    assert only(follow(CREATED, booted)).report is not None
    report = only(follow(ORIGINATE.replace("a1", "x"), CREATED, booted)).report
    assert report is not None
    assert report.detail == RESTARTED
    assert len(follow(CREATED, booted.replace("Uptime: 5", "Uptime: 5000"))) == 1


@pytest.mark.parametrize("note", [{"link": "down"}, {"gap": {"bytes": 5}}])
def test_what_is_missing_ends_a_session(note: dict[str, Any]) -> None:
    follower = Follower()
    calls = [*follower.feed(record(CREATED)), *follower.feed(record(UP))]
    calls += follower.feed(Record(None, Direction.RECEIVED, b"Event: Hangup\r\nUniqueid: "))
    calls += follower.feed(write_note(1005.0, note))
    calls += [*follower.feed(record(HUNG_UP)), *follower.finish()]
    report = only(calls).report
    assert report is not None
    assert not report.unreported


def test_that_a_link_is_up_leaves_no_gap() -> None:
    follower = Follower()
    calls = [*follower.feed(record(CREATED))]
    data = encode(UP)
    calls += follower.feed(Record(None, Direction.RECEIVED, data[:30]))
    calls += follower.feed(write_note(1005.0, {"link": "up", "why": "fully booted"}))
    calls += follower.feed(Record(None, Direction.RECEIVED, data[30:]))
    calls += [*follower.feed(record(HUNG_UP)), *follower.finish()]
    report = only(calls).report
    assert report is not None
    assert report.answered_at == 1003.0


def test_another_session_leaves_gaps() -> None:
    follower = Follower()
    calls = [*follower.feed(record(CREATED)), *follower.feed(record(UP))]
    calls += follower.feed(Record(None, Direction.RECEIVED, b"Asterisk Call Manager/9.0\r\n"))
    calls += [*follower.feed(record(HUNG_UP)), *follower.finish()]
    report = only(calls).report
    assert report is not None
    assert not report.unreported


def test_damage_between_messages_is_survived() -> None:
    follower = Follower()
    list(follower.feed(Record(1.0, Direction.RECEIVED, b"Event: X\r\nA: " + b"x" * 2_000_000)))
    assert only(follow(CREATED, UP, SUCCESS, HUNG_UP, follower=follower)).report is not None


def test_a_trace_without_a_clock_says_so() -> None:
    def untimed(message: str) -> str:
        return "|".join(part for part in message.split("|") if not part.startswith("Timestamp"))

    call = only(follow(*map(untimed, (CREATED, UP, SUCCESS, HUNG_UP))))
    assert not call.timed
    assert disposition(call) is Disposition.ANSWERED


@given(cuts=st.lists(st.integers(0, 2000), max_size=6))
@settings(max_examples=40)
def test_the_same_calls_however_the_stream_was_cut(cuts: list[int]) -> None:
    data = encode(CREATED, DIALED, UP, SUCCESS, HUNG_UP)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    follower = Follower()
    calls: list[TracedCall] = []
    for begin, end in itertools.pairwise(places):
        calls += follower.feed(Record(2000.0, Direction.RECEIVED, data[begin:end]))
    assert [*calls, *follower.finish()] == follow(CREATED, DIALED, UP, SUCCESS, HUNG_UP)


EXPECTED = {
    "00_answer": "answered",
    "01_busy": "busy",
    "02_ring_timeout": "no-answer",
    "03_congestion": "congestion",
    "04_unallocated": "invalid",
    "05_unavailable": "not-available",
    "09_ring_then_busy": "busy",
    "10_early_media_busy": "busy",
    "11_reject": "failed",
    "dial_leg_b_busy": "answered",
    "local_busy": "busy",
    "local_ring_timeout": "no-answer",
    "duplicate_channel_id": "answered",
    "unknown_endpoint": "failed",
    "queue": "answered",
}


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
@pytest.mark.parametrize("sent", [True, False])
def test_what_a_real_asterisk_said(name: str, expected: str, sent: bool) -> None:
    follower = Follower()
    calls: list[TracedCall] = []
    if sent:
        written = (CAPTURES / f"{name}.sent").read_bytes()
        calls += follower.feed(Record(None, Direction.SENT, written))
    calls += follower.feed(
        Record(None, Direction.RECEIVED, (CAPTURES / f"{name}.ami").read_bytes())
    )
    calls += follower.finish()
    assert [disposition(call) for call in calls] == [Disposition(expected)]
    assert calls[0].originated


@given(st.lists(st.sampled_from([ORIGINATE, CREATED, DIALED, UP, SUCCESS, FAILURE, HUNG_UP])))
@settings(max_examples=150)
def test_any_order_gives_each_call_once(messages: list[str]) -> None:
    calls = follow(*messages)
    assert {call.channel_id for call in calls} <= {"c1"}
    assert sum(call.report is not None for call in calls) <= 1
