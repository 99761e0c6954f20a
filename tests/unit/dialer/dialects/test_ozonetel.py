from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami import Disposition, LegB
from dialer.dialects.ozonetel import (
    DISPOSITIONS_OF,
    Report,
    find_row,
    number_call,
    write_ids,
    write_report_row,
)
from tests.shapes import find_differences
from tests.unit.dialer.dialects.samples import HANOI, make_closing, make_failure, make_talk


def test_a_talk() -> None:
    record = write_report_row(make_talk(), HANOI)
    assert find_differences(record, "ozonetel_details") == []
    assert record == {
        "AgentDialStatus": "answered",
        "AgentID": "agents",
        "AgentName": "agents",
        "CallAudio": "https://recordings.example/acme/1.wav",
        "CallDate": "2024-01-15",
        "CallID": 10_000_000_000_464_896,
        "CallerConfAudioFile": "",
        "CallerID": "19001919",
        "CampaignName": "spring",
        "Comments": "",
        "ConferenceDuration": "00:00:00",
        "CustomerDialStatus": "answered",
        "CustomerRingTime": "00:00:04",
        "DID": "19001919",
        "DialOutName": "Jane Roe",
        "DialStatus": "answered",
        "DialedNumber": "0899888999",
        "Disposition": "answered",
        "Duration": "00:01:10",
        "DynamicDID": "",
        "E164": "",
        "EndTime": "17:31:10",
        "Event": "AgentDial",
        "HandlingTime": None,
        "HangupBy": "",
        "HoldDuration": "00:00:00",
        "Location": "",
        "PickupTime": "17:30:07",
        "Rating": 0,
        "RatingComments": "",
        "Skill": "",
        "StartTime": "17:30:00",
        "Status": "Answered",
        "TalkTime": "00:01:03",
        "TimeToAnswer": "00:00:07",
        "TransferType": "",
        "TransferredTo": "",
        "Type": "Progressive",
        "UCID": 10_000_000_000_464_896,
        "UUI": "call-1",
        "WrapUpEndTime": None,
        "WrapUpStartTime": None,
        "WrapupDuration": None,
    }


@pytest.mark.parametrize(
    ("report", "shape"),
    [
        (Report.DETAILS, "ozonetel_details"),
        (Report.UCID, "ozonetel_ucid"),
        (Report.PAGINATED, "ozonetel_pagination"),
    ],
)
def test_reports_name_two_keys_differently(report: Report, shape: str) -> None:
    assert find_differences(write_report_row(make_talk(), HANOI, report), shape) == []


def test_what_there_is_not() -> None:
    record = write_report_row(make_failure("failed"), HANOI)
    assert find_differences(record, "ozonetel_details") == []
    empty = {name for name, value in record.items() if value == ""}
    assert empty == {
        *("AgentDialStatus", "AgentID", "AgentName", "CallAudio", "CallerConfAudioFile"),
        *("CallerID", "CampaignName", "Comments", "DID", "DialOutName", "DynamicDID", "E164"),
        *("Event", "HangupBy", "Location", "PickupTime", "RatingComments", "Skill"),
        *("TimeToAnswer", "TransferType", "TransferredTo"),
    }
    nulls = {name for name, value in record.items() if value is None}
    assert nulls == {"HandlingTime", "WrapUpEndTime", "WrapUpStartTime", "WrapupDuration"}


@pytest.mark.parametrize("disposition", list(Disposition))
def test_status_words_both_ways(disposition: Disposition) -> None:
    record = write_report_row(make_failure(disposition.value), HANOI)
    status = "Answered" if disposition is Disposition.ANSWERED else "NotAnswered"
    assert record["Status"] == status
    assert disposition in DISPOSITIONS_OF[status]
    assert record["Disposition"] == record["CustomerDialStatus"] == disposition.value


@pytest.mark.parametrize(
    ("dial_status", "word"),
    [
        ("ANSWER", "answered"),
        ("BUSY", "busy"),
        ("NOANSWER", "no-answer"),
        ("CANCEL", "cancel"),
        ("CONGESTION", "congestion"),
        ("CHANUNAVAIL", "not-available"),
        ("DONTCALL", "failed"),
        (None, ""),
    ],
)
def test_what_became_of_the_agents_leg(dial_status: str | None, word: str) -> None:
    leg = LegB("PJSIP/agents-0000001a", dial_status)
    assert write_report_row(make_talk(leg_b=leg), HANOI)["AgentDialStatus"] == word


def test_a_quick_call_is_manual() -> None:
    assert write_report_row(make_talk(), replace(HANOI, quick=True))["Type"] == "Manual"


def test_a_call_to_a_queue_is_of_its_skill() -> None:
    assert write_report_row(make_talk(application="Queue", data="sales"), HANOI)["Skill"] == "sales"


@pytest.mark.parametrize(
    ("number", "e164"),
    [
        ("+84899888999", "+84899888999"),
        ("0899888999", ""),  # of which country is not known
        ("+123456", ""),
        ("+1234567890123456", ""),
        ("+84 899", ""),
        ("+٠١٢٣٤٥٦٧", ""),
    ],
)
def test_numbers_that_are_e164(number: str, e164: str) -> None:
    assert write_report_row(make_talk(number=number), HANOI)["E164"] == e164


@given(st.integers(1, 2**52))
def test_a_ucid_leads_to_its_row_even_through_a_double(row_id: int) -> None:
    ucid = number_call(row_id)
    assert 2**53 < ucid < 2**63
    assert find_row(ucid) == row_id
    assert int(float(ucid)) == ucid


@pytest.mark.parametrize("ucid", [0, -16, 10**16, 10**16 + 17, 10**16 - 16, 2**53])
def test_numbers_that_are_no_ucid(ucid: int) -> None:
    assert find_row(ucid) is None


def test_an_item_without_an_attempt() -> None:
    record = write_report_row(make_closing(), replace(HANOI, row_id=None))
    assert (record["UCID"], record["CallID"], record["UUI"]) == (None, None, "call-1")
    assert (record["Status"], record["Disposition"]) == ("NotAnswered", "expired")
    assert (record["CallDate"], record["Duration"]) == ("", "00:00:00")


def test_ids_can_be_written_alone() -> None:
    record = write_report_row(make_talk(), HANOI)
    assert record | write_ids(HANOI.row_id) == record
