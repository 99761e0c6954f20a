import json
import random
from typing import Any

import pytest

from ami import Disposition
from dialer.delivery.following import LINE, PROBE
from dialer.delivery.schedule import DELAYS
from dialer.delivery.sgapi import (
    WORDS,
    SgapiTarget,
    build_sgapi,
    choose_word,
    extract_number,
    judge_sgapi,
)
from dialer.delivery.verdict import Answer, Finding
from dialer.states import DeliveryState
from tests.unit.dialer.delivery.samples import NOW, make_cdr

TARGET = SgapiTarget("https://gw.example/base/", "outbound sales/1")
REQUIRED = {
    "uuid": str,
    "caller_id": str,
    "called_number": str,
    "start_time": str,
    "end_time": str,
    "duration": int,
    "disposition": str,
}


def body_of(target: SgapiTarget = TARGET, **changes: Any) -> dict[str, Any]:
    delivery = build_sgapi(make_cdr(**changes), target, NOW)
    assert delivery is not None
    body: dict[str, Any] = json.loads(delivery.body)
    return body


def test_the_documented_put() -> None:
    delivery = build_sgapi(make_cdr(), TARGET, NOW)
    assert delivery is not None
    assert (delivery.kind, delivery.endpoint, delivery.method) == ("sgapi", "sgapi", "PUT")
    assert delivery.url == "https://gw.example/base/cdrtosgapi/outbound%20sales%2F1"
    assert delivery.event_id == make_cdr().cdr_id
    assert json.loads(delivery.body) == {
        "uuid": "018d0000-0000-7000-8000-000000000001",
        "caller_id": "1001",
        "called_number": "5550100",
        "start_time": "2024-01-15T10:30:00Z",
        "end_time": "2024-01-15T10:30:10Z",
        "duration": 10,
        "disposition": "ANSWERED",
        "direction": "outbound",
        "queue_id": "3",
        "custom_data": {
            "call_id": "call-1",
            "channel_id": "018d0000-0000-7000-8000-00000000000a",
            "batch_id": 12345,
            "attempt": 1,
            "final": True,
            "project": "spring",
            "disposition": "answered",
            "accountcode": "acme",
            "server_code": "pbx1",
            "contact_number": 1234567890,
            "billsec": 7,
            "ring_time": 2,
            "cause": 16,
            "sip_code": None,
            "connected": True,
            "recording_path": None,
            "sip_call_id": None,
        },
    }


def test_required_fields_are_there_even_without_a_caller_id() -> None:
    body = body_of(
        caller_id=None,
        recording_url="https://r.example/1.wav",
        recording_path="/1.wav",
        sip_call_id="id-1@host",
    )
    assert body["custom_data"]["sip_call_id"] == "id-1@host"
    assert body["caller_id"] == ""
    assert body["recording_url"] == "https://r.example/1.wav"
    assert body["custom_data"]["recording_path"] == "/1.wav"
    for name, kind in REQUIRED.items():
        assert type(body[name]) is kind, name


def test_no_gateway_no_delivery() -> None:
    assert build_sgapi(make_cdr(), None, NOW) is None
    delivery = build_sgapi(make_cdr(), SgapiTarget("http://gw"), NOW)
    assert delivery is not None
    assert delivery.url == "http://gw/cdrtosgapi"


def test_channel_id_is_the_one_that_the_client_sees() -> None:
    assert body_of(client_channel_id="channel-123")["custom_data"]["channel_id"] == "channel-123"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("answered", "ANSWERED"),
        ("busy", "BUSY"),
        ("no-answer", "NO ANSWER"),
        ("cancel", "NO ANSWER"),
        ("congestion", "CONGESTION"),
        ("not-available", "FAILED"),
        ("invalid", "FAILED"),
        ("failed", "FAILED"),
        ("unknown", "FAILED"),
    ],
)
def test_dispositions(ours: str, theirs: str) -> None:
    body = body_of(disposition=ours)
    assert body["disposition"] == theirs
    assert body["custom_data"]["disposition"] == ours


def test_every_disposition_has_a_word() -> None:
    assert set(WORDS) == {word.value for word in Disposition}


def test_the_operator_may_change_the_words() -> None:
    words = {"not-available": "NO ANSWER"}
    assert choose_word("not-available", words) == "NO ANSWER"
    assert choose_word("busy", words) == "BUSY"
    assert choose_word("something new") == "FAILED"
    target = SgapiTarget("http://gw", words=words)
    assert body_of(target, disposition="not-available")["disposition"] == "NO ANSWER"


@pytest.mark.parametrize(
    ("caller_id", "number"),
    [
        (None, ""),
        ("", ""),
        ("1001", "1001"),
        ("+15551234567", "+15551234567"),
        ("Your Company <1001>", "1001"),
        ('"A <b>" <1001>', "1001"),
        ("<1001>", "1001"),
        ("Your Company <>", ""),
    ],
)
def test_number_of_a_caller_id(caller_id: str | None, number: str) -> None:
    assert extract_number(caller_id) == number


@pytest.mark.parametrize("status", [200, 201, 202, 409])
def test_taken_or_already_there_is_followed(status: int) -> None:
    verdict = judge_sgapi(Answer(status), 0, random.Random(1), NOW)
    assert (verdict.finding, verdict.state) == (Finding.ACCEPTED, DeliveryState.ACCEPTED)
    assert verdict.line == LINE


@pytest.mark.parametrize("status", [400, 422])
def test_a_body_that_would_be_refused_again_is_dead(status: int) -> None:
    verdict = judge_sgapi(Answer(status, text="INVALID_DISPOSITION"), 0, random.Random(1), NOW)
    assert (verdict.finding, verdict.delay) == (Finding.DEAD, None)
    assert verdict.error == f"HTTP {status}: INVALID_DISPOSITION"


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_stop_the_target(status: int) -> None:
    verdict = judge_sgapi(Answer(status), 10, random.Random(1), NOW)
    assert verdict.finding is Finding.STOPPED
    assert not verdict.counts
    assert verdict.hold == verdict.delay == PROBE == 300


def test_429_never_counts_toward_giving_up() -> None:
    for retry_after in (None, 0.0, 3600.0):
        verdict = judge_sgapi(Answer(429, retry_after), len(DELAYS) + 5, random.Random(1), NOW)
        assert verdict.finding is Finding.PACED
        assert not verdict.counts
        assert verdict.delay is not None
        assert verdict.delay >= (retry_after or 0.0)


@pytest.mark.parametrize("status", [None, 302, 404, 405, 408, 500, 502, 503, 504])
def test_all_else_is_tried_by_schedule(status: int | None) -> None:
    verdict = judge_sgapi(Answer(status, error="lost"), 0, random.Random(1), NOW)
    assert verdict.finding is Finding.FAILED
    assert verdict.delay is not None
    assert judge_sgapi(Answer(status), len(DELAYS), random.Random(1), NOW).delay is None
