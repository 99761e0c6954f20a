"""The record of one call's channels: minima, maxima and flags."""

import random
from typing import get_args

import pytest

from ami import legs
from ami.causes import Disposition
from ami.events import ChannelEvent, LiveChannel, OriginateAnswered
from ami.legs import Leg, Legs, earlier, earliest
from tests.unit.ami.sequences import (
    ACTION,
    CALL,
    LEG_B,
    OWN_CHANNEL,
    START,
    call_id_told,
    created,
    dial_ended,
    hungup,
    leg_b_call,
    recorded,
    responded,
    ringing,
    up,
)


def channel_event(event: object) -> ChannelEvent:
    assert isinstance(event, ChannelEvent)
    return event


def response(at: float, reason: int) -> OriginateAnswered:
    event = responded(at, reason)
    assert isinstance(event, OriginateAnswered)
    return event


def test_times_are_the_earliest() -> None:
    leg = Leg(CALL, START + 9)
    for at in (3.0, 1.0, 2.0):
        for event in (created(START + at), ringing(START + at), up(START + at)):
            leg.see(channel_event(event))
    assert (leg.first_at, leg.created_at, leg.ringing_at, leg.up_at) == (START + 1,) * 4


def test_the_first_hangup_stands() -> None:
    leg = Leg(CALL, START)
    leg.see(channel_event(hungup(START + 2, 17, 486)))
    leg.see(channel_event(hungup(START + 3, 0)))
    assert (leg.hungup_at, leg.cause, leg.sip_code) == (START + 2, 17, 486)
    leg.see(channel_event(hungup(START + 1, 21, 603)))
    assert (leg.hungup_at, leg.cause, leg.sip_code) == (START + 1, 21, 603)


def test_the_last_dial_end_stands() -> None:
    leg = Leg(CALL, START)
    leg.see(channel_event(dial_ended(START + 2, "ANSWER")))
    leg.see(channel_event(dial_ended(START + 1, "NOANSWER")))
    assert leg.dial_status == "ANSWER"
    assert leg.answered_at == START + 2


@pytest.mark.parametrize(("channel", "is_local"), [("Local/1@x-1;1", True), (OWN_CHANNEL, False)])
def test_local_channels(channel: str, is_local: bool) -> None:
    leg = Leg(CALL, START)
    leg.channel = channel
    assert leg.is_local is is_local


def test_live_counts_each_channel_once() -> None:
    legs = Legs(CALL)
    legs.see(CALL, OWN_CHANNEL, channel_event(created(START)))
    legs.mention(CALL, START)
    legs.mention("other", START)
    assert legs.live == 2
    for _ in range(2):
        legs.see(CALL, OWN_CHANNEL, channel_event(hungup(START + 1, 16)))
    assert legs.live == 1


def test_a_list_does_not_revive_a_channel() -> None:
    legs = Legs(CALL)
    legs.see(CALL, OWN_CHANNEL, channel_event(hungup(START + 1, 17)))
    legs.see_live(LiveChannel(CALL, CALL, OWN_CHANNEL, True, 5.0), START + 9)
    assert legs.live == 0
    assert legs.answered_at is None


def test_the_first_recording_stands() -> None:
    files = {START + 2: "/second.wav", START + 1: "/first.wav", START + 3: "/third.wav"}
    for order in (sorted(files), sorted(files, reverse=True), list(files)):
        legs = Legs(CALL)
        assert legs.conclude(ACTION, START).recording is None
        for at in order:
            legs.see(CALL, OWN_CHANNEL, channel_event(recorded(at, files[at])))
        report = legs.conclude(ACTION, START)
        assert (report.recording, legs.live) == ("/first.wav", 1)


def test_the_call_id_is_that_of_the_calls_own_channel() -> None:
    legs = Legs(CALL)
    legs.see(LEG_B, "PJSIP/c-2", channel_event(call_id_told(START + 1, "b@host", LEG_B)))
    assert legs.conclude(ACTION, START).sip_call_id is None
    for call_id in ("a@host", "a@host"):
        legs.see(CALL, OWN_CHANNEL, channel_event(call_id_told(START + 2, call_id)))
    assert legs.conclude(ACTION, START).sip_call_id == "a@host"


def test_of_two_responses_success_stands() -> None:
    for order in ((0, 4), (4, 0)):
        legs = Legs(CALL)
        for reason in order:
            legs.see_response(response(START, reason))
        assert legs.succeeded


def test_the_earliest_sign_of_an_answer_counts() -> None:
    legs = Legs(CALL)
    legs.see(CALL, OWN_CHANNEL, channel_event(up(START + 3)))
    legs.see_response(response(START + 2, 4))
    assert legs.answered_at == START + 2


def test_the_report_does_not_depend_on_the_order() -> None:
    events = [e for e in leg_b_call("ANSWER", 16, None, 0) if isinstance(e, ChannelEvent)]
    reports = set()
    for seed in range(20):
        random.Random(seed).shuffle(events)
        legs = Legs(CALL)
        for event in events:
            named = getattr(event, "dest_uniqueid", None) or event.uniqueid
            assert named is not None
            legs.see(
                named, getattr(event, "dest_channel", "") or getattr(event, "channel", ""), event
            )
        reports.add(legs.conclude(ACTION, START))
    (report,) = reports
    assert report.disposition is Disposition.ANSWERED
    assert report.connected_b


def test_nothing_seen_is_told_as_such() -> None:
    report = Legs(CALL).conclude(ACTION, START, ended_at=START + 1, detail="never written")
    assert (report.disposition, report.placed, report.rang) == (Disposition.FAILED, False, False)
    assert (report.started_at, report.ended_at, report.end_estimated) == (START, START + 1, True)
    assert (report.cause, report.cause_text, report.leg_b) == (None, None, None)


def test_earlier_and_earliest() -> None:
    assert earlier(None, 2.0) == 2.0
    assert earlier(1.0, 2.0) == 1.0
    assert earliest([None, 3.0, 2.0]) == 2.0
    assert earliest([None]) is None


def test_every_event_of_a_channel_can_be_taken_in() -> None:
    assert set(legs._SEERS) == set(get_args(ChannelEvent))
