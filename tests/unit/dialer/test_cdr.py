"""The record: Asterisk's times, whole seconds, and what the outcome came from."""

from dataclasses import replace

import pytest

from ami import LegB
from dialer.cdr import AttemptFacts, build_cdr
from tests.unit.dialer.builders import make_report

FACTS = AttemptFacts(
    cdr_id="cdr-1",
    call_id="call-1",
    client_id=1,
    accountcode="client1",
    queue_id=2,
    item_id=3,
    batch_id=4,
    server_code="pbx1",
    attempt=2,
    number="100000",
    caller_id="Us <1>",
    application="Wait",
    data="1",
    payload={
        "project": "spring",
        "contact_number": 4915112345,
        "customer_name": "Jo",
        "action": {"ChannelId": "mine", "Channel": "PJSIP/100000@carrier"},
    },
)


def test_durations_are_whole_seconds_of_asterisks_times() -> None:
    cdr = build_cdr(make_report(), FACTS, final=True, next_attempt_at=None)
    assert (cdr.duration, cdr.billsec, cdr.ring_seconds) == (10, 7, 2)
    assert (cdr.started_at, cdr.answered_at, cdr.ended_at) == (100.0, 103.0, 110.5)


def test_a_recording_is_a_path_on_the_server_and_an_address() -> None:
    path = "/var/rec/client1/june/cdr-1.gsm"
    payload = {"recording_path": "june/", "recording_format": "GSM"}
    facts = replace(FACTS, payload=payload, recordings="https://rec.example/")
    cdr = build_cdr(make_report(recording=path), facts, final=True, next_attempt_at=None)
    assert cdr.recording_path == path
    assert cdr.recording_url == "https://rec.example/client1/june/cdr-1.gsm"
    facts = replace(facts, recordings=None)
    cdr = build_cdr(make_report(recording=path), facts, final=True, next_attempt_at=None)
    assert cdr.recording_url == "file://pbx1/var/rec/client1/june/cdr-1.gsm"


def test_the_call_id_of_its_invite_is_passed_on() -> None:
    cdr = build_cdr(make_report(sip_call_id="id-1@host"), FACTS, final=True, next_attempt_at=None)
    assert cdr.sip_call_id == "id-1@host"


def test_a_call_of_which_no_recording_was_told_has_none() -> None:
    payload = {"create_recording": True, "recording_path": "june"}
    facts = replace(FACTS, payload=payload, recordings="https://rec.example/")
    cdr = build_cdr(make_report("busy"), facts, final=True, next_attempt_at=None)
    assert (cdr.recording_url, cdr.recording_path) == (None, None)


def test_an_unanswered_call_rang_until_its_end_and_bills_nothing() -> None:
    cdr = build_cdr(make_report("busy"), FACTS, final=False, next_attempt_at=500.0)
    assert (cdr.duration, cdr.billsec, cdr.ring_seconds) == (10, 0, 9)
    assert (cdr.disposition, cdr.cause, cdr.error_message) == ("busy", 17, "User busy")
    assert (cdr.final, cdr.next_attempt_at) == (False, 500.0)


@pytest.mark.parametrize(
    ("cause", "detail", "said"),
    [
        (0, None, "Asterisk hung it up without a cause, as it does when it is stopped"),
        (0, "Asterisk was restarted", "Asterisk was restarted"),
        (38, None, "Network out of order"),
    ],
)
def test_a_call_that_an_ending_asterisk_hung_up_says_so(
    cause: int, detail: str | None, said: str
) -> None:
    report = make_report("failed", cause=cause, cause_text="Network out of order", detail=detail)
    cdr = build_cdr(report, FACTS, final=True, next_attempt_at=None)
    assert (cdr.cause, cdr.error_message) == (cause, said)


def test_an_answered_call_says_why_its_end_is_an_estimate_and_nothing_else() -> None:
    lost = make_report(end_estimated=True, detail="Asterisk was restarted")
    cdr = build_cdr(lost, FACTS, final=True, next_attempt_at=None)
    assert (cdr.disposition, cdr.error_message) == ("answered", "Asterisk was restarted")
    seen = replace(lost, end_estimated=False)
    assert build_cdr(seen, FACTS, final=True, next_attempt_at=None).error_message is None


def test_what_the_client_gave_is_passed_on() -> None:
    cdr = build_cdr(make_report(), FACTS, final=True, next_attempt_at=None)
    assert (cdr.project, cdr.contact_number, cdr.customer_name) == ("spring", "4915112345", "Jo")
    assert (cdr.client_channel_id, cdr.channel) == ("mine", "PJSIP/100000@carrier")
    assert (cdr.attempt, cdr.batch_id, cdr.caller_id) == (2, 4, "Us <1>")


@pytest.mark.parametrize(
    ("application", "bridged", "disposition", "connected"),
    [
        ("Dial", True, "answered", True),
        ("dial", False, "answered", False),
        ("Wait", False, "answered", True),
        (None, False, "busy", False),
    ],
)
def test_connected_means_that_the_far_end_was_reached(
    application: str | None, bridged: bool, disposition: str, connected: bool
) -> None:
    report = make_report(disposition, connected_b=bridged)
    facts = replace(FACTS, application=application)
    assert build_cdr(report, facts, final=True, next_attempt_at=None).connected is connected


def test_a_clock_that_went_back_gives_no_negative_duration() -> None:
    report = make_report(ended_at=90.0)
    cdr = build_cdr(report, FACTS, final=True, next_attempt_at=None)
    assert (cdr.duration, cdr.billsec, cdr.ended_at) == (3, 0, cdr.answered_at)


def test_a_call_did_not_start_after_it_was_answered_nor_end_before() -> None:
    cdr = build_cdr(
        make_report(started_at=105.0, answered_at=103.0, ended_at=102.0),
        FACTS,
        final=True,
        next_attempt_at=None,
    )
    seen = [cdr.started_at, cdr.ringing_at, cdr.answered_at]
    assert cdr.started_at == min(at for at in seen if at is not None)
    assert cdr.ended_at == 105.0
    assert 0 <= cdr.billsec <= cdr.duration


def test_the_second_leg_is_kept() -> None:
    leg = LegB(channel="PJSIP/b-1", dial_status="BUSY", cause=17, sip_code=486)
    cdr = build_cdr(make_report(leg_b=leg), FACTS, final=True, next_attempt_at=None)
    assert cdr.leg_b == leg
