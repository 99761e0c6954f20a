"""Batches: items in order, caller IDs in turn, every error of the batch."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.batch import BatchBuilder, build_batch
from dialer.bodies import parse_batch
from dialer.errors import FieldError, Refused
from dialer.store.contract import NewItem
from tests.unit.dialer.builders import make_client
from tests.unit.dialer.test_bodies import ACTION, ITEM, batch

SERVERS = {"server1": 7}


def build(*items: Any, did: str | None = None, **fields: Any) -> list[NewItem]:
    client = make_client(did=did)
    return build_batch(parse_batch(batch(*items, **fields)), client, SERVERS, lambda: "our-id")


def errors_of(*items: Any, **fields: Any) -> list[FieldError]:
    with pytest.raises(Refused) as caught:
        build(*items, **fields)
    return caught.value.errors


DOCUMENT: dict[str, Any] = {
    "asterisk_server_code": "server1",
    "caller_id": "Your Company <1001>",
    "action": {
        "Action": "Originate",
        "ActionID": "call-uuid-1234",
        "Channel": "PJSIP/1234567890@endpoint1",
        "Application": "Dial",
        "Data": "PJSIP/0987654321@endpoint2,30",
        "Timeout": 30000,
        "CallerID": "Your Company <1001>",
        "Account": "your_account_code",
        "EarlyMedia": True,
        "Async": True,
    },
    "retry": 3,
    "create_recording": True,
    "recording_format": "wav",
    "queue_type": "outbound",
    "call_timeout": 30,
    "contact_number": 1234567890,
    "project": "campaign_2024",
    "deadline": "2024-12-31T23:59:59Z",
}


def test_the_documents_example() -> None:
    (item,) = build(DOCUMENT, queue_id=None, dids=["+1234567890", "+0987654321"])
    assert (item.server_id, item.call_id, item.number) == (7, "call-uuid-1234", "1234567890")
    assert (item.caller_id, item.retry) == ("Your Company <1001>", 3)
    assert item.deadline == 1735689599.0
    for name, value in DOCUMENT.items():
        if name != "action":
            assert item.payload[name] == value
    assert item.payload["action"] == {
        **dict.fromkeys(["Variable", "Codecs", "ChannelId", "OtherChannelId", "PreDialGoSub"]),
        **DOCUMENT["action"],
    }
    assert json.loads(json.dumps(item.payload)) == item.payload


def test_caller_ids_in_their_order() -> None:
    own = {**ITEM, "caller_id": "item", "action": {**ACTION, "CallerID": "action"}}
    items = build(own, {**ITEM, "caller_id": "item"}, ITEM, ITEM, ITEM, dids=["a", "b"], did="c")
    assert [item.caller_id for item in items] == ["action", "item", "a", "b", "a"]
    assert build(ITEM, did="c")[0].caller_id == "c"
    assert build(ITEM)[0].caller_id is None


def test_steps_build_the_same_as_the_whole() -> None:
    parsed = parse_batch(batch(*[{**ITEM, "contact_number": n} for n in range(25)], dids=["a"]))
    steps = BatchBuilder(parsed, make_client(), SERVERS, lambda: "our-id").steps()
    for _ in range(25):
        next(steps)
    with pytest.raises(StopIteration) as done:
        next(steps)
    whole = build_batch(parsed, make_client(), SERVERS, lambda: "our-id")
    assert done.value.value == whole
    assert [item.payload["contact_number"] for item in whole] == list(range(25))


def test_every_error_of_the_batch_in_order() -> None:
    bad = {"asterisk_server_code": "nowhere", "action": {"Action": "Hangup", "Channel": "x"}}
    errors = errors_of(bad, ITEM, {"retry": "x", "action": {"Channel": "PJSIP/1&2"}}, batch_id=None)
    assert [(error.index, error.field) for error in errors[:1]] == [(None, "batch_id")]
    assert {(error.index, error.field) for error in errors[1:]} == {
        (0, "asterisk_server_code"),
        (0, "action.Action"),
        (0, "action.Channel"),
        (2, "retry"),
        (2, "asterisk_server_code"),
        (2, "action.Action"),
        (2, "action.Channel"),
    }
    assert [error.index for error in errors] == sorted(
        (error.index for error in errors), key=lambda index: -1 if index is None else index
    )


def test_dids_obey_the_rules_of_caller_ids() -> None:
    (error,) = errors_of(ITEM, dids=["a\nb"])
    assert (error.index, error.field) == (None, "dids")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
_ITEMS = st.dictionaries(st.sampled_from(sorted(DOCUMENT)), _JSON) | st.builds(
    lambda wrong: {**DOCUMENT, **wrong}, st.dictionaries(st.sampled_from(sorted(DOCUMENT)), _JSON)
)
_ACTIONS = st.builds(
    lambda wrong: {**DOCUMENT, "action": {**DOCUMENT["action"], **wrong}},
    st.dictionaries(st.sampled_from(sorted(DOCUMENT["action"])) | st.text(max_size=5), _JSON),
)


@settings(max_examples=100)
@given(st.lists(_ITEMS | _ACTIONS | _JSON, min_size=1, max_size=3))
def test_whatever_comes_is_built_or_refused(data: list[Any]) -> None:
    """Any JSON at all gives items that serialize, or errors that name a field."""
    items, errors = [], []
    try:
        items = build(*data)
    except Refused as refused:
        errors = refused.errors
    assert bool(items) is not bool(errors)
    assert all(error.field and error.message for error in errors)
    assert len(json.dumps([item.payload for item in items], allow_nan=False)) >= 2


def test_nothing_is_built_from_a_batch_with_an_error() -> None:
    assert [error.index for error in errors_of(ITEM, {**ITEM, "call_timeout": 0}, ITEM)] == [1]
