from dataclasses import replace
from typing import Any

import pytest

from dialer.dialects.pbx import DISPOSITIONS_OF, describe, find_uniqueid, write_ids, write_pbx
from tests.shapes import find_differences
from tests.unit.dialer.dialects.samples import HANOI, make_closing, make_failure, make_talk

SHAPE = "pbx"


def test_a_talk() -> None:
    record = write_pbx(make_talk(), HANOI)
    assert find_differences(record, SHAPE) == []
    known = {name: value for name, value in record.items() if value is not None}
    assert known == {
        "id": "29056",
        "uniqueid": "018d0000-0000-7000-8000-00000000000a",
        "linkedid": "018d0000-0000-7000-8000-00000000000a",
        "time": "2024-01-15 17:30:00",
        "time_end": "2024-01-15 17:31:10",
        "caller_id": '"Acme Ltd" <19001919>',
        "source": "19001919",
        "destination": "0899888999",
        "direction": "OUT",
        "channel_formatted": "PJSIP/carrier",
        "dstchannel_formatted": "PJSIP/agents",
        "customer_id": "98123",
        "code": "outbound",
        "call_status": "ANSWERED",
        "call_status_info": "DS:ANSWER|HC:16|HI:Normal Clearing",
        "call_codes": "out answered",
        "accounting_code": "acme",
        "monitor_files": ["/var/spool/asterisk/monitor/acme/1.wav"],
        "monitor_urls": ["https://recordings.example/acme/1.wav"],
        "recording_file": "/var/spool/asterisk/monitor/acme/1.wav",
        "recording_url": "https://recordings.example/acme/1.wav",
        "project": "spring",
        "external_id": "call-1",
        "bill_duration": "00:01:03",
        "duration": "00:01:10",
        "bill_minutes": 2,
        "ivr_duration": "00:00:00",
        "hold_time": "00:00:00",
        "ring_time": "00:00:04",
    }


def test_what_there_is_not() -> None:
    record = write_pbx(make_failure("failed"), HANOI)
    assert find_differences(record, SHAPE) == []
    empty = {name for name, value in record.items() if value == ""}
    assert empty == {"caller_id", "source", "channel_formatted", "dstchannel_formatted"}
    nulls = {name for name, value in record.items() if value is None}
    assert nulls == {
        *("customer_id", "user_fullname", "qname", "call_status_info", "accounting_value"),
        *("comments", "monitor_files", "monitor_urls", "recording_file", "recording_url"),
        *("transfers", "project", "inbound_route", "inbound_route_id", "queue_log", "ivr_log"),
        *("external_info", "agent_details", "is_recovered", "transcription_id"),
        "transcription_text",
    }


@pytest.mark.parametrize(
    ("disposition", "status"),
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
def test_status_words_both_ways(disposition: str, status: str) -> None:
    record = write_pbx(make_failure(disposition), HANOI)
    codes = "out answered" if disposition == "answered" else "out no answer"
    assert (record["call_status"], record["call_codes"]) == (status, codes)
    assert disposition in DISPOSITIONS_OF[status]


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (
            {"dial_status": "CONGESTION", "cause": 34, "sip_code": 503},
            "DS:CONGESTION|HC:34|HI:SIP 503 Service Unavailable",
        ),
        ({"cause": 34, "sip_code": 599}, "HC:34|HI:SIP 599"),
        ({"cause": 17, "cause_text": "User busy"}, "HC:17|HI:User busy"),
        ({"error_message": "no such endpoint"}, "HI:no such endpoint"),
        ({"dial_status": "BUSY"}, "DS:BUSY"),
        ({}, None),
    ],
)
def test_what_is_known_of_the_end(known: dict[str, Any], text: str | None) -> None:
    assert describe(make_failure("failed", **known)) == text


def test_the_clients_own_channel_id_is_shown() -> None:
    assert find_uniqueid(make_talk(client_channel_id="mine-0001")) == "mine-0001"
    assert find_uniqueid(make_closing(channel_id="mine-0001")) == "mine-0001"
    assert find_uniqueid(make_closing()) is None


def test_a_call_to_a_queue_names_it() -> None:
    assert write_pbx(make_talk(application="Queue", data="sales,t"), HANOI)["qname"] == "sales"


@pytest.mark.parametrize(("billsec", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2)])
def test_begun_minutes_are_billed(billsec: int, minutes: int) -> None:
    assert write_pbx(make_talk(billsec=billsec), HANOI)["bill_minutes"] == minutes


def test_an_item_without_an_attempt() -> None:
    record = write_pbx(make_closing(), replace(HANOI, row_id=None))
    assert (record["id"], record["uniqueid"], record["linkedid"]) == (None, None, None)
    assert (record["call_status"], record["call_status_info"]) == ("FAILED", "HI:expired")
    assert (record["external_id"], record["destination"]) == ("call-1", "5550100")


def test_ids_can_be_written_alone() -> None:
    record = write_pbx(make_talk(), HANOI)
    assert record | write_ids(HANOI.row_id) == record
