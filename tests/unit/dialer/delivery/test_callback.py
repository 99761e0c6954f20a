import json
import random
from dataclasses import replace
from typing import Any

import pytest

from dialer.delivery.callback import (
    build_callback,
    build_closing,
    build_progress,
    judge_callback,
    name_endpoint,
    show_number,
)
from dialer.delivery.schedule import DELAYS
from dialer.delivery.verdict import Answer, Finding
from dialer.states import CallbackEvent, ItemEnd
from dialer.store.contract import Client
from tests.unit.dialer.delivery.samples import CLIENT, NOW, make_cdr, make_ended, make_reached

DOCUMENTED = [
    "event_type",
    "accountcode",
    "batch_id",
    "call_id",
    "phone_number",
    "call_status",
    "disposition",
    "duration",
    "start_time",
    "end_time",
    "recording_url",
    "custom_data",
    "server_code",
    "error_message",
    "cdr_id",
    "channel_id",
    "attempt",
    "final",
    "next_attempt_at",
]

SILENT = Client(id=7, name="Acme", accountcode="acme", username="acme")


def body_of(**changes: Any) -> dict[str, Any]:
    delivery = build_callback(make_cdr(**changes), CLIENT, NOW)
    assert delivery is not None
    body: dict[str, Any] = json.loads(delivery.body)
    return body


def test_the_documented_body() -> None:
    delivery = build_callback(make_cdr(), CLIENT, NOW)
    assert delivery is not None
    assert (delivery.kind, delivery.method, delivery.client_id) == ("callback", "POST", 7)
    assert delivery.url == "https://Client.example:8443/hook?x=1"
    assert delivery.endpoint == "https://client.example:8443 acme"
    assert delivery.event_id == "018d0000-0000-7000-8000-000000000001"
    assert delivery.due_at == NOW
    body = json.loads(delivery.body)
    assert list(body) == DOCUMENTED
    assert body == {
        "event_type": "call_completed",
        "accountcode": "acme",
        "batch_id": 12345,
        "call_id": "call-1",
        "phone_number": "5550100",
        "call_status": "processed",
        "disposition": "answered",
        "duration": 10,
        "start_time": "2024-01-15T10:30:00.250Z",
        "end_time": "2024-01-15T10:30:10.500Z",
        "recording_url": None,
        "custom_data": {
            "billsec": 7,
            "ring_time": 2,
            "queue_id": 3,
            "project": "spring",
            "contact_number": 1234567890,
            "cause": 16,
            "cause_text": "Normal Clearing",
            "sip_code": None,
            "leg_b": {
                "channel": "PJSIP/b-1",
                "dial_status": "ANSWER",
                "cause": 16,
                "sip_code": None,
                "answered_at": "2024-01-15T10:30:04.000Z",
                "ended_at": "2024-01-15T10:30:10.000Z",
            },
            "connected": True,
            "end_estimated": False,
            "recording_path": None,
            "sip_call_id": None,
        },
        "server_code": "pbx1",
        "error_message": None,
        "cdr_id": "018d0000-0000-7000-8000-000000000001",
        "channel_id": "018d0000-0000-7000-8000-00000000000a",
        "attempt": 1,
        "final": True,
        "next_attempt_at": None,
    }


def test_a_recorded_call_tells_where_it_is() -> None:
    body = body_of(
        recording_url="https://r.example/a.wav",
        recording_path="/var/r/a.wav",
        sip_call_id="id-1@host",
    )
    assert body["custom_data"]["sip_call_id"] == "id-1@host"
    assert body["recording_url"] == "https://r.example/a.wav"
    assert body["custom_data"]["recording_path"] == "/var/r/a.wav"


@pytest.mark.parametrize(
    ("disposition", "event"),
    [
        ("answered", "call_completed"),
        ("busy", "call_busy"),
        ("no-answer", "call_no_answer"),
        ("not-available", "call_failed"),
        ("invalid", "call_failed"),
        ("congestion", "call_failed"),
        ("cancel", "call_failed"),
        ("failed", "call_failed"),
        ("unknown", "call_failed"),
    ],
)
def test_event_names(disposition: str, event: str) -> None:
    assert body_of(disposition=disposition)["event_type"] == event


def test_an_attempt_with_another_to_come() -> None:
    body = body_of(final=False, next_attempt_at=NOW + 300, disposition="busy", attempt=2)
    assert body["call_status"] == "pending"
    assert body["final"] is False
    assert body["attempt"] == 2
    assert body["next_attempt_at"] == "2024-01-15T10:36:40.000Z"


def test_the_clients_own_channel_id_is_echoed() -> None:
    assert body_of(client_channel_id="channel-123")["channel_id"] == "channel-123"


def test_no_second_leg() -> None:
    assert body_of(leg_b=None)["custom_data"]["leg_b"] is None


def test_body_is_ascii_and_reads_back() -> None:
    delivery = build_callback(make_cdr(project="Zürich \u2028 通知", cause_text='"'), CLIENT, NOW)
    assert delivery is not None
    assert delivery.body.isascii()
    assert json.loads(delivery.body)["custom_data"]["project"] == "Zürich \u2028 通知"


def test_nobody_to_tell() -> None:
    assert build_callback(make_cdr(), SILENT, NOW) is None
    assert build_closing(make_ended(ItemEnd.EXPIRED), SILENT, "pbx1", NOW) is None


@pytest.mark.parametrize(
    ("end", "event"),
    [(ItemEnd.EXPIRED, "call_timeout"), (ItemEnd.TERMINATED, "call_failed")],
)
def test_closing_callback(end: ItemEnd, event: str) -> None:
    delivery = build_closing(make_ended(end), CLIENT, "pbx1", NOW)
    assert delivery is not None
    assert delivery.event_id == "item-11"
    body = json.loads(delivery.body)
    assert list(body) == DOCUMENTED
    assert body["event_type"] == event
    assert body["call_status"] == "terminated"
    assert body["disposition"] == end.value
    assert (body["start_time"], body["end_time"], body["duration"]) == (None, None, 0)
    assert (body["cdr_id"], body["final"], body["attempt"]) == (None, True, 2)
    assert body["channel_id"] == "mine-0001"
    assert body["phone_number"] == "5550100"
    assert body["server_code"] == "pbx1"
    assert body["error_message"]
    assert body["custom_data"].keys() == body_of()["custom_data"].keys()
    assert body["recording_url"] is body["custom_data"]["recording_path"] is None
    assert body["custom_data"]["contact_number"] == 1234567890
    assert set(body["custom_data"]) == set(body_of()["custom_data"])


def test_closing_of_a_call_without_channel_id() -> None:
    delivery = build_closing(make_ended(ItemEnd.EXPIRED, payload={}), CLIENT, "pbx1", NOW)
    assert delivery is not None
    assert json.loads(delivery.body)["channel_id"] is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (15551234, 15551234),
        ("15551234", 15551234),
        ("0", 0),
        ("0155", "0155"),
        ("+15551234", "+15551234"),
        ("1234567890123456", "1234567890123456"),
        ("٣", "٣"),
        ("", ""),
    ],
)
def test_contact_number(value: object, shown: object) -> None:
    assert show_number(value) == shown
    assert type(show_number(value)) is type(shown)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://Example.com/a", "https://example.com:443"),
        ("https://example.com:443/b?c", "https://example.com:443"),
        ("http://example.com", "http://example.com:80"),
        ("http://[2001:db8::1]:81/", "http://2001:db8::1:81"),
        ("http://example.com:99999/", "invalid"),
    ],
)
def test_endpoint_is_the_origin_and_whose_it_is(url: str, endpoint: str) -> None:
    assert name_endpoint(url, "acme") == f"{endpoint} acme"
    assert name_endpoint(url, "beta") == f"{endpoint} beta"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert judge_callback(Answer(status), 0, random.Random(1)).finding is Finding.DELIVERED


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 409, 422, 500, 502, 504])
def test_other_answers_are_tried_again(status: int) -> None:
    verdict = judge_callback(Answer(status, text="why"), 2, random.Random(1))
    assert verdict.finding is Finding.FAILED
    assert verdict.counts
    assert verdict.delay is not None
    assert DELAYS[2] <= verdict.delay <= DELAYS[2] * 1.2
    assert verdict.error == f"HTTP {status}: why"


def test_no_answer_is_tried_again() -> None:
    verdict = judge_callback(Answer(None, error="no answer within 15 s"), 0, random.Random(1))
    assert verdict.finding is Finding.FAILED
    assert verdict.error == "no answer within 15 s"


def test_gone_is_dead_at_once() -> None:
    verdict = judge_callback(Answer(410), 0, random.Random(1))
    assert (verdict.finding, verdict.delay) == (Finding.DEAD, None)


def test_429_paces_the_endpoint_and_counts_nothing() -> None:
    verdict = judge_callback(Answer(429, retry_after=40.0), 9, random.Random(1))
    assert verdict.finding is Finding.PACED
    assert not verdict.counts
    assert verdict.hold == 40.0
    assert verdict.delay is not None
    assert 40.0 <= verdict.delay <= 41.0
    assert judge_callback(Answer(429), 0, random.Random(1)).hold > 0


def test_503_obeys_retry_after_and_counts() -> None:
    verdict = judge_callback(Answer(503, retry_after=4000.0), 0, random.Random(1))
    assert (verdict.finding, verdict.counts, verdict.delay) == (Finding.FAILED, True, 4000.0)
    soon = judge_callback(Answer(503, retry_after=0.0), 0, random.Random(1))
    assert soon.delay is not None
    assert soon.delay >= DELAYS[0]


def test_the_last_failure_ends_it() -> None:
    tries = len(DELAYS)
    assert judge_callback(Answer(500), tries - 1, random.Random(1)).delay is not None
    verdict = judge_callback(Answer(500), tries, random.Random(1))
    assert verdict.delay is None
    assert verdict.error == "given up after 11 tries: HTTP 500"


@pytest.mark.parametrize("event", CallbackEvent)
def test_a_call_that_goes_on_is_told_in_the_shape_of_its_end(event: CallbackEvent) -> None:
    row = build_progress(make_reached(event), CLIENT, NOW)
    end = build_callback(make_cdr(), CLIENT, NOW)
    assert row is not None
    assert end is not None
    body, last = json.loads(row.body), json.loads(end.body)
    assert list(body) == DOCUMENTED
    assert list(body["custom_data"]) == list(last["custom_data"])
    assert (body["event_type"], body["call_status"]) == (event.value, "queued")
    assert (body["disposition"], body["duration"], body["end_time"]) == (None, 0, None)
    assert (body["attempt"], body["final"], body["channel_id"]) == (3, False, "mine-0001")
    assert body["start_time"] == "2024-01-15T10:30:00.250Z"
    assert row.event_id == f"{body['cdr_id']}-{event.value.removeprefix('call_')}"
    assert (row.kind, row.endpoint, row.url) == (end.kind, end.endpoint, end.url)


def test_without_a_callback_url_nobody_is_told_of_a_call_that_goes_on() -> None:
    silent = replace(CLIENT, callback_url=None)
    assert build_progress(make_reached(CallbackEvent.STARTED), silent, NOW) is None
