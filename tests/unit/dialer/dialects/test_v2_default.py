import pytest

from ami import Disposition
from dialer.dialects.v2_default import CAUSES, DISPOSITIONS_OF, WORDS, write_default
from tests.shapes import find_differences
from tests.unit.dialer.dialects.samples import HANOI, make_closing, make_failure, make_talk

SHAPE = "v2_default"


def test_a_talk() -> None:
    record = write_default(make_talk(), HANOI)
    assert find_differences(record, SHAPE) == []
    assert record == {
        "id": "018d0000-0000-7000-8000-000000000001",
        "sip_call_id": "80bea701-49de-123a-89ab-fa163e3b9b38",
        "cause": "NORMAL_CLEARING",
        "duration": 70,
        "direction": 3,
        "recording_url": "https://recordings.example/acme/1.wav",
        "extension": "agents",
        "from_number": "19001919",
        "to_number": "0899888999",
        "receive_dest": "",
        "time_started": "2024-01-15 17:30:00",
        "time_ringing": "2024-01-15 17:30:02",
        "time_answered": "2024-01-15 17:30:07",
        "time_ended": "2024-01-15 17:31:10",
        "status": "ANSWERED",
        "app": "autodialer",
        "press_key": "",
        "lead_id": "98123",
        "username": "",
        "firstname": "",
        "middlename": "",
        "lastname": "",
        "customer_id": "98123",
    }


def test_what_there_is_not_is_an_empty_text() -> None:
    record = write_default(make_failure("failed"), HANOI)
    assert find_differences(record, SHAPE) == []
    empty = [name for name, value in record.items() if value == ""]
    assert empty == [
        *("sip_call_id", "cause", "recording_url", "extension", "from_number", "receive_dest"),
        *("time_ringing", "time_answered", "lead_id"),
        *("username", "firstname", "middlename", "lastname", "customer_id"),
    ]


@pytest.mark.parametrize(
    ("disposition", "status"),
    [
        ("answered", "ANSWERED"),
        ("busy", "BUSY"),
        ("no-answer", "NO_ANSWERED"),
        ("cancel", "CANCEL"),
        ("not-available", "NOT_AVAILABLE"),
        ("congestion", "NOT_AVAILABLE"),
        ("invalid", "INVALID"),
        ("failed", "INVALID"),
        ("unknown", "INVALID"),
    ],
)
def test_status_words_both_ways(disposition: str, status: str) -> None:
    assert write_default(make_failure(disposition), HANOI)["status"] == status
    assert disposition in DISPOSITIONS_OF[status]


def test_every_disposition_has_one_word() -> None:
    assert set(WORDS) == {*Disposition, "expired", "terminated"}
    assert sorted(name for found in DISPOSITIONS_OF.values() for name in found) == sorted(
        Disposition
    )


@pytest.mark.parametrize(
    ("application", "quick", "app", "press_key"),
    [
        ("Dial", True, "dial", ""),
        ("Playback", True, "dial", ""),
        ("Dial", False, "autodialer", ""),
        ("queue", False, "autodialer", ""),
        ("Playback", False, "autocall", "{}"),
        (None, False, "autocall", "{}"),
    ],
)
def test_what_a_call_was_for(
    application: str | None, quick: bool, app: str, press_key: str
) -> None:
    view = type(HANOI)(HANOI.zone, HANOI.row_id, quick)
    record = write_default(make_failure("busy", application=application), view)
    assert (record["app"], record["press_key"]) == (app, press_key)


@pytest.mark.parametrize(
    ("disposition", "cause", "name"),
    [
        ("answered", 16, "NORMAL_CLEARING"),
        ("answered", 0, "NORMAL_CLEARING"),
        ("answered", 17, "USER_BUSY"),  # the second leg's
        ("cancel", 0, "ORIGINATOR_CANCEL"),
        ("busy", 17, "USER_BUSY"),
        ("no-answer", 19, "NO_ANSWER"),
        ("failed", 0, "UNSPECIFIED"),
        ("failed", 126, "CAUSE_126"),
        ("failed", None, ""),
    ],
)
def test_causes(disposition: str, cause: int | None, name: str) -> None:
    assert write_default(make_failure(disposition, cause=cause), HANOI)["cause"] == name


def test_names_of_causes_differ() -> None:
    assert len(set(CAUSES.values())) == len(CAUSES)


def test_a_call_to_a_queue_names_it() -> None:
    record = write_default(make_talk(application="Queue", data="sales,t,,,60"), HANOI)
    assert (record["receive_dest"], record["extension"]) == ("sales", "agents")


@pytest.mark.parametrize(
    ("disposition", "status"), [("expired", "INVALID"), ("terminated", "CANCEL")]
)
def test_an_item_without_an_attempt(disposition: str, status: str) -> None:
    record = write_default(make_closing(disposition=disposition), HANOI)
    assert (record["status"], record["id"], record["to_number"]) == (status, "", "5550100")
    assert record["lead_id"] == "1234567890"
