"""What is wrong with a field, told to humans."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from dialer.api.queues import read_changes
from dialer.bodies import Action, QueueItem, parse_batch, parse_quick_call
from dialer.clients import NewClient, read_client
from dialer.errors import FieldError, Refused
from dialer.phrases import MOMENT, find_faults

WRONG: list[Any] = [
    *([], [1], {}, {"a": 1}, True, False, -1, 1.5, 10**19, 10**4000, "", "x", "x" * 2000),
    *("9" * 4000, "2023-02-29T10:00:00Z", "\u2028", "null"),
]


def faults_of(name: str, value: Any) -> list[FieldError]:
    """Of one wrong value, wherever a field of this name is."""
    item = parse_batch(json.dumps({"data": [{name: value}]}).encode()).errors
    action = parse_batch(json.dumps({"data": [{"action": {name: value}}]}).encode()).errors
    quick = parse_quick_call(json.dumps({name: value}).encode()).errors
    return [*item, *(error for error in action if error.field != "action"), *quick]


@pytest.mark.parametrize(
    "name", sorted({*QueueItem.__annotations__, *Action.__annotations__, "number1", "prefix"})
)
def test_each_field_says_a_short_sentence(name: str) -> None:
    for value in WRONG:
        for error in faults_of(name, value):
            assert error.field.casefold().endswith(name.casefold())
            assert error.message.startswith(("must ", "unknown key ")), error
            assert len(error.message) < 70, error


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("deadline", "tomorrow", MOMENT),
        ("deadline", 5, MOMENT),
        ("deadline", "2024-13-01T00:00:00Z", MOMENT),
        ("contact_number", "1" * 33, "must be digits, 31 at most"),
        ("contact_number", 10**4000, "must be digits, 31 at most"),
        ("contact_number", [], "must be digits, 31 at most"),
        ("retry", "x", "must be a whole number"),
        ("retry", True, "must be a whole number"),
        ("retry", 1.5, "must be a whole number"),
        ("retry", 1001, "must be at most 1000"),
        ("retry", "1001", "must be at most 1000"),
        ("retry", -1, "must be at least 0"),
        ("connected", "maybe", "must be true or false"),
        ("connected", [], "must be true or false"),
        ("recording_format", 5, "must be text"),
        ("project", "x" * 256, "must have at most 255 characters"),
        ("action", "Originate", "must be a JSON object"),
        ("Timeout", "soon", "must be a whole number"),
        ("Async", 7, "must be true or false"),
    ],
)
def test_what_is_said(name: str, value: Any, message: str) -> None:
    faults = faults_of(name, value)
    assert faults
    assert {error.message for error in faults} == {message}


def test_of_a_list_the_first_wrong_entry_is_told() -> None:
    body = {"data": [{}], "dids": ["+1", "", [], "x" * 81]}
    (error,) = parse_batch(json.dumps(body).encode()).errors
    assert (error.field, error.message) == ("dids", "entry 2 must not be empty")
    body = {"data": [{}], "dids": ["1"] * 1001}
    (error,) = parse_batch(json.dumps(body).encode()).errors
    assert error.message == "must have at most 1000 entries"


def test_clients_and_queues_say_the_same_way() -> None:
    with pytest.raises(Refused) as caught:
        read_client({"name": "", "accountcode": 5, "allocated_channels": "x"}, False, 0.0)
    assert {error.field: error.message for error in caught.value.errors} == {
        "name": "must not be empty",
        "accountcode": "must be text",
        "username": "Field required",
        "allocated_channels": "must be a whole number",
    }
    with pytest.raises(Refused) as caught:
        read_changes({"queue_status": "x", "retry": "x", "retry_count": 1001, "retry_gap": True})
    assert {error.field: error.message for error in caught.value.errors} == {
        "queue_status": "must be 'paused', 'in-progress' or 'completed'",
        "retry": "must be true or false",
        "retry_count": "must be at most 1000",
        "retry_gap": "must be a whole number",
    }


@pytest.mark.parametrize("name", NewClient.model_fields)
def test_each_field_of_a_client_says_a_short_sentence(name: str) -> None:
    for value in WRONG:
        try:
            NewClient.model_validate({name: value})
        except ValidationError as error:
            faults = find_faults(error)
            said = [text.removeprefix("entry 1 ") for text in faults.values()]
            assert all(text == "Field required" or text[:5] == "must " for text in said)


def test_a_fault_without_a_phrase_is_told_all_the_same() -> None:
    class Model(BaseModel):
        field: frozenset[int]

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Model).validate_python({"field": "x"})
    assert find_faults(caught.value) == {("field",): "is not valid"}
