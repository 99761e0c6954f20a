"""CDRs of other systems: the documented codes in their order, and what is kept of a CDR."""

import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ami import Disposition
from dialer import gateway
from dialer.delivery.callback import EVENTS
from dialer.delivery.sgapi import WORDS as SGAPI_WORDS
from dialer.dialects import ozonetel, pbx, v2_default, v2_flex
from dialer.dialects.words import CLOSED
from dialer.gateway import Code, Unfit, read_cdr
from dialer.store.records import ForeignCdr

NOW = 1_705_314_960.0
BERLIN = ZoneInfo("Europe/Berlin")
BODY: dict[str, Any] = {
    "uuid": "550E8400-e29b-41d4-a716-446655440000",
    "caller_id": "+15551234567",
    "called_number": "+15559876543",
    "start_time": "2024-01-15T10:30:00Z",
    "end_time": "2024-01-15T10:35:30Z",
    "duration": 330,
    "disposition": "ANSWERED",
}
MORE: dict[str, Any] = {
    "direction": "Inbound",
    "queue_id": "sales_queue_01",
    "agent_id": "agent_1234",
    "recording_url": "https://recordings.example.com/calls/550e8400.mp3",
    "custom_data": {"campaign_id": "camp_2024_01", "note": "Zoë\nsaid", "score": 1.5},
}


def read(**changes: Any) -> ForeignCdr:
    """`entity` is of the path."""
    entity = changes.pop("entity", None)
    body = {**BODY, **changes}
    return read_cdr(json.dumps(body).encode(), entity, BERLIN, 7, "our-id", NOW)


def refused(**changes: Any) -> Unfit:
    with pytest.raises(Unfit) as caught:
        read(**changes)
    return caught.value


def test_a_cdr_is_kept_in_documented_order_and_normalized() -> None:
    cdr = read(entity="outbound_sales", **MORE)
    assert (cdr.client_id, cdr.cdr_id, cdr.entity, cdr.created_at) == (
        *(7, "our-id", "outbound_sales"),
        NOW,
    )
    assert cdr.uuid == "550e8400-e29b-41d4-a716-446655440000"
    assert list(cdr.content.items()) == [
        ("caller_id", "+15551234567"),
        ("called_number", "+15559876543"),
        ("start_time", "2024-01-15T10:30:00Z"),
        ("end_time", "2024-01-15T10:35:30Z"),
        ("duration", 330),
        ("disposition", "answered"),
        ("direction", "inbound"),
        *((name, MORE[name]) for name in list(MORE)[1:]),
    ]


def test_what_is_optional_may_be_null_or_empty_and_what_is_unknown_is_left_away() -> None:
    nothing: dict[str, Any] = {
        "direction": None,
        "queue_id": "",
        "agent_id": None,
        "custom_data": {},
    }
    assert list(read(**nothing, accountcode="sales").content) == list(BODY)[1:]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z"),
        ("2024-01-15T16:00:00+05:30", "2024-01-15T10:30:00Z"),
        ("2024-01-15T05:30:00-0500", "2024-01-15T10:30:00Z"),
        ("2024-01-15 11:30:00", "2024-01-15T10:30:00Z"),  # the client's zone
        ("2024-01-15t10:30:00.987654321z", "2024-01-15T10:30:00Z"),
        ("2024-01-15T10:30Z", "2024-01-15T10:30:00Z"),
    ],
)
def test_times_become_utc(given: str, kept: str) -> None:
    assert read(start_time=given).content["start_time"] == kept


@pytest.mark.parametrize(
    "given",
    [
        *("", "now", "2024-01-15", "10:30:00", "1705314600", "2024-02-30T10:30:00Z"),
        *("2024-01-15T24:30:00Z", "2024-01-15T10:30:00+25:00", "2024-01-15T10:30:00 Z"),
        *("2024-W03-1T10:30:00", "20240115T103000Z", "9999-12-31T23:59:59-10:00"),
        "٢٠٢٤-01-15T10:30:00Z",
    ],
)
def test_what_is_no_time_is_refused(given: str) -> None:
    for name in ("start_time", "end_time"):
        fault = refused(**{name: given})
        assert (fault.code, fault.uuid) == (Code.INVALID_TIMESTAMP, None)
        assert fault.details.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "given",
    [
        *("550e8400e29b41d4a716446655440000", "{550e8400-e29b-41d4-a716-446655440000}"),
        *("550e8400-e29b-41d4-a716-44665544000", "550e8400-e29b-41d4-a716-44665544000g", ""),
        *("1705314600.42", "550e8400-e29b-41d4-a716-446655440000\n"),
    ],
)
def test_what_is_no_uuid_is_refused(given: str) -> None:
    assert refused(uuid=given).code is Code.INVALID_UUID


def all_words() -> dict[str, str]:
    """Every word that we write for a CDR anywhere, and one disposition that it stands for."""
    tables = [SGAPI_WORDS, ozonetel.WORDS, pbx.WORDS, v2_default.WORDS, v2_flex.WORDS]
    tables.append({word.value: word.value for word in Disposition})
    found: dict[str, str] = {}
    for table in tables:
        for disposition, word in table.items():
            if disposition not in CLOSED:
                found.setdefault(word, disposition)
    return found


@pytest.mark.parametrize("word", sorted(all_words()))
def test_every_word_of_ours_is_taken_in_any_case(word: str) -> None:
    cases = {word, word.upper(), word.lower(), word.title()}
    (kept,) = {read(disposition=case).content["disposition"] for case in cases}
    assert SGAPI_WORDS[kept] in SGAPI_WORDS.values()


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("NO ANSWER", "no-answer"),
        ("No-Answered", "no-answer"),
        ("NO_ANSWERED", "no-answer"),
        ("NotAnswered", "no-answer"),
        ("Answered", "answered"),
        ("NOT_AVAILABLE", "not-available"),
        ("CONGESTION", "congestion"),
        ("Cancel", "cancel"),
        ("FAILED", "failed"),
    ],
)
def test_words_mean_what_they_do_in_their_api(word: str, kept: str) -> None:
    assert read(disposition=word).content["disposition"] == kept


@pytest.mark.parametrize(
    "word", ["", "ANSWER", "NOANSWER", "hung up", "answered ", *EVENTS.values()]
)
def test_other_words_are_refused(word: str) -> None:
    assert refused(disposition=word).code is Code.INVALID_DISPOSITION


@pytest.mark.parametrize("closing", sorted(CLOSED))
def test_an_item_without_an_attempt_has_no_cdr(closing: str) -> None:
    assert refused(disposition=closing).code is Code.INVALID_DISPOSITION


@pytest.mark.parametrize("name", gateway.REQUIRED)
def test_a_field_that_is_missing_is_named(name: str) -> None:
    for value in (None, "absent"):
        body = {**BODY, name: value}
        if value is not None:
            del body[name]
        with pytest.raises(Unfit) as caught:
            read_cdr(json.dumps(body).encode(), None, BERLIN, 7, "our-id", NOW)
        assert (caught.value.code, caught.value.details) == (
            Code.INVALID_REQUEST,
            f"{name}: Field required",
        )


WRONG: dict[str, tuple[Any, ...]] = {
    "duration": ("330", 330.5, True, [], {}),
    "custom_data": ("text", [], 1, True),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 15551234567) for name in BODY if name != "duration"),
        *((name, ["a"]) for name in MORE if name != "custom_data"),
        *((name, value) for name, values in WRONG.items() for value in values),
    ],
)
def test_a_field_of_another_type_is_refused(name: str, value: object) -> None:
    fault = refused(**{name: value})
    assert fault.code is Code.INVALID_REQUEST
    assert fault.details.startswith(f"{name}: must be ")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"  ", b"nonsense", b"[]", b'"text"', b"null", b'{"uuid":', b"\xff\xfe{}", b"{}{}"),
        *(b'{"uuid": "\\ud800"}', b'{"custom_data": {"n": NaN}}', b"[" * 60_000),
        b'{"custom_data": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Unfit) as caught:
        read_cdr(body, None, BERLIN, 7, "our-id", NOW)
    assert caught.value.code is Code.INVALID_REQUEST


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"end_time": "2024-01-15T10:29:59Z"}, "end_time"),
        ({"duration": -1}, "duration"),
        ({"duration": 2**31}, "duration"),
        ({"direction": "sideways"}, "direction"),
        ({"entity": "a/b"}, "entity"),
        ({"entity": ".."}, "entity"),
        ({"entity": "x" * 65}, "entity"),
        ({"called_number": ""}, "called_number"),
        ({"caller_id": "1" * 81}, "caller_id"),
        ({"called_number": "1\r\n2"}, "called_number"),
        ({"queue_id": "q" * 256}, "queue_id"),
        ({"agent_id": "a\x00"}, "agent_id"),
        ({"recording_url": "https://x/" + "y" * 2048}, "recording_url"),
        ({"custom_data": {str(n): n for n in range(1001)}}, "custom_data"),
        ({"custom_data": {"list": [[0] * 40] * 30}}, "custom_data"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_uuid(changes: dict[str, Any], named: str) -> None:
    fault = refused(**changes)
    assert fault.code is Code.VALIDATION_ERROR
    assert fault.details.startswith(f"{named}: ")
    assert fault.uuid == BODY["uuid"].lower()


def test_a_number_that_json_could_not_say_again_is_refused() -> None:
    body = json.dumps({**BODY, "custom_data": {"n": [1]}}).replace("[1]", "[1e999]")
    with pytest.raises(Unfit, match="custom_data: holds a number that is too large"):
        read_cdr(body.encode(), None, BERLIN, 7, "our-id", NOW)


def test_custom_data_may_be_as_deep_as_its_rule_and_no_deeper() -> None:
    deep: Any = 1
    for _ in range(gateway.DEEPEST - 1):
        deep = {"in": deep}
    assert read(custom_data={"in": deep["in"]}).content["custom_data"] == {"in": deep["in"]}
    assert read(custom_data=deep).content["custom_data"] == deep
    assert refused(custom_data={"in": {"in": deep}}).code is Code.VALIDATION_ERROR


def test_a_call_may_end_when_it_starts_and_last_otherwise_than_its_times_say() -> None:
    assert read(end_time=BODY["start_time"], duration=0).content["duration"] == 0
    assert read(duration=5.0).content["duration"] == 5


def test_faults_are_told_in_the_documents_order() -> None:
    faults: list[dict[str, Any]] = [
        {"duration": "330"},
        {"uuid": "x"},
        {"start_time": "x"},
        {"disposition": "x"},
        {"direction": "x"},
    ]
    codes = []
    while faults:
        changes = {name: value for fault in faults for name, value in fault.items()}
        codes.append(refused(**changes).code)
        faults.pop(0)
    assert codes == [
        Code.INVALID_REQUEST,
        Code.INVALID_UUID,
        Code.INVALID_TIMESTAMP,
        Code.INVALID_DISPOSITION,
        Code.VALIDATION_ERROR,
    ]


def test_numbers_are_not_in_what_is_told() -> None:
    fault = refused(called_number="+1555987654\x00")
    assert not re.search(r"\d{4}", fault.details)
