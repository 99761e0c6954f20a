import pytest

from dialer.dialects.v2_flex import DISPOSITIONS_OF, write_flex
from tests.shapes import find_differences
from tests.unit.dialer.dialects.samples import HANOI, make_closing, make_failure, make_talk

SHAPE = "v2_flex"


def test_a_talk() -> None:
    record = write_flex(make_talk(), HANOI)
    assert find_differences(record, SHAPE) == []
    assert record == {
        "cdrId": "018d0000-0000-7000-8000-000000000001",
        "sip_call_id": "80bea701-49de-123a-89ab-fa163e3b9b38",
        "recordFile": "https://recordings.example/acme/1.wav",
        "extensionId": "agents",
        "to": "0899888999",
        "hangupAt": "2024-01-15 17:31:10",
        "answeredAt": "2024-01-15 17:30:07",
        "ringAt": "2024-01-15 17:30:02",
        "dialAt": "2024-01-15 17:30:00",
        "status": "answered",
        "duration": 70,
        "direction": "outbound",
        "billsec": 63,
        "customerId": "98123",
    }


def test_what_there_is_not_is_an_empty_text() -> None:
    record = write_flex(make_failure("failed"), HANOI)
    assert find_differences(record, SHAPE) == []
    empty = [name for name, value in record.items() if value == ""]
    assert empty == [
        *("sip_call_id", "recordFile", "extensionId", "answeredAt", "ringAt", "customerId"),
    ]


@pytest.mark.parametrize(
    ("disposition", "status"),
    [
        ("answered", "answered"),
        ("busy", "busy"),
        ("no-answer", "no-answered"),
        ("cancel", "cancel"),
        ("not-available", "not-available"),
        ("congestion", "not-available"),
        ("invalid", "invalid"),
        ("failed", "invalid"),
        ("unknown", "invalid"),
    ],
)
def test_status_words_both_ways(disposition: str, status: str) -> None:
    assert write_flex(make_failure(disposition), HANOI)["status"] == status
    assert disposition in DISPOSITIONS_OF[status]


def test_closings_are_no_cdrs() -> None:
    found = frozenset().union(*DISPOSITIONS_OF.values())
    assert found.isdisjoint({"expired", "terminated"})


@pytest.mark.parametrize(
    ("disposition", "status"), [("expired", "invalid"), ("terminated", "cancel")]
)
def test_an_item_without_an_attempt(disposition: str, status: str) -> None:
    record = write_flex(make_closing(disposition=disposition), HANOI)
    assert (record["status"], record["cdrId"], record["to"]) == (status, "", "5550100")
