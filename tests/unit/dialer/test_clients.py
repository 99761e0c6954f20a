"""New clients."""

from typing import Any

import pytest

from dialer.clients import check_client, read_client
from dialer.dialects import CdrMapping, Shape
from dialer.errors import Refused
from dialer.states import CallbackEvent

FULL: dict[str, Any] = {
    "name": "Client Name",
    "accountcode": "client_xyz",
    "username": "client_username",
    "did": "+1234567890",
    "phone_number": "+1234567890",
    "allocated_channels": 10,
    "callbackurl": "https://client.com/callback",
    "is_superuser": False,
    "rate_limit": 1000,
    "is_active": True,
    "status": "active",
}
SHAPED = {"callback_shape": "ozonetel", "cdr_mapping": "flex"}
LEAST = {"name": "n", "accountcode": "a", "username": "u"}


def fields_refused(content: dict[str, Any]) -> list[str]:
    with pytest.raises(Refused) as caught:
        read_client(content, False, 5.0)
    return sorted(error.field for error in caught.value.errors)


def test_shapes_are_native_and_default_unless_chosen() -> None:
    for content in (LEAST, LEAST | {"callback_shape": None, "cdr_mapping": None}):
        plain = read_client(content, False, 5.0)
        assert (plain.callback_shape, plain.cdr_mapping) == (Shape.NATIVE, CdrMapping.DEFAULT)
    shaped = read_client(LEAST | SHAPED, False, 5.0)
    assert (shaped.callback_shape, shaped.cdr_mapping) == (Shape.OZONETEL, CdrMapping.FLEX)


def test_shapes_that_there_are_not() -> None:
    wrong = LEAST | {"callback_shape": "Native", "cdr_mapping": "pbx"}
    assert fields_refused(wrong) == ["callback_shape", "cdr_mapping"]


def test_the_documents_example() -> None:
    client = read_client(FULL, False, 5.0)
    assert (client.name, client.accountcode, client.username) == (
        "Client Name",
        "client_xyz",
        "client_username",
    )
    assert (client.did, client.callback_url) == ("+1234567890", "https://client.com/callback")
    assert (client.allocated_channels, client.rate_limit) == (10, 1000)
    assert (client.created_at, client.updated_at) == (5.0, 5.0)


@pytest.mark.parametrize(
    "content", [LEAST, {**dict.fromkeys(FULL), **LEAST}, {**LEAST, "unknown": 1}]
)
def test_defaults(content: dict[str, Any]) -> None:
    client = read_client(content, False, 5.0)
    assert (client.allocated_channels, client.max_cps, client.rate_limit) == (1, 10.0, None)
    assert (client.is_active, client.status, client.is_superuser) == (True, "active", False)
    assert (client.did, client.callback_url) == (None, None)


def test_what_is_required() -> None:
    assert fields_refused({}) == ["accountcode", "name", "username"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", "a\nb"),
        ("name", "x" * 256),
        ("accountcode", ""),
        ("accountcode", "a b"),
        ("accountcode", "a\r\nb"),
        ("accountcode", "../x"),
        ("accountcode", "x" * 80),
        ("username", 5),
        ("username", "\u2028"),
        ("did", "x" * 81),
        ("did", "${X}"),
        ("did", " 1001"),
        ("did", "é" * 41),
        ("phone_number", "1\x7f"),
        ("allocated_channels", -1),
        ("allocated_channels", "many"),
        ("callbackurl", "ftp://x"),
        ("callbackurl", "http://127.0.0.1/"),
        ("callbackurl", "http://169.254.169.254/"),
        ("rate_limit", 0),
        ("is_active", "maybe"),
        ("status", ""),
        ("status", "a\tb"),
    ],
)
def test_wrong_fields_by_name(name: str, value: Any) -> None:
    assert name in fields_refused({**FULL, name: value})


def test_private_callbacks_where_the_operator_allows_them() -> None:
    client = read_client({**FULL, "callbackurl": "http://127.0.0.1:9/x"}, True, 5.0)
    assert client.callback_url == "http://127.0.0.1:9/x"


def test_changes_obey_the_same_rules() -> None:
    check_client({"timezone": "Asia/Tehran", "did": None, "max_cps": 5.0}, False)
    check_client({"default_application": "Playback(hello)"}, False)
    with pytest.raises(Refused) as refused:
        check_client({"default_application": "System(id)"}, False)
    assert [error.field for error in refused.value.errors] == ["default_application"]
    for zone in ("Nowhere/City", "", "../etc/passwd", "Europe"):
        with pytest.raises(Refused) as caught:
            check_client({"timezone": zone}, False)
        assert [error.field for error in caught.value.errors] == ["timezone"]


def test_every_error_is_told_at_once_each_field_by_the_name_that_it_has_in_a_body() -> None:
    wrong = {
        "name": None,
        "accountcode": "a b",
        "username": "u\n",
        "did": "${X}",
        "allocated_channels": -1,
        "callbackurl": "http://127.0.0.1/\x00",
        "callback_shape": "round",
    }
    broken = ["accountcode", "callbackurl", "callbackurl", "did", "username"]
    assert fields_refused(wrong) == sorted(
        ["allocated_channels", "callback_shape", "name", *broken]
    )
    assert fields_refused(LEAST | {"accountcode": "a b", "rate_limit": 0}) == [
        "accountcode",
        "rate_limit",
    ]


def test_null_is_as_good_as_absent() -> None:
    with pytest.raises(Refused) as caught:
        read_client({**LEAST, "name": None}, False, 5.0)
    assert [(error.field, error.message) for error in caught.value.errors] == [
        ("name", "Field required")
    ]


def test_events_that_are_asked_for() -> None:
    assert read_client(LEAST, False, 1.0).callback_events == frozenset()
    assert read_client(LEAST | {"callback_events": None}, False, 1.0).callback_events == frozenset()
    assert read_client(LEAST | {"callback_events": []}, False, 1.0).callback_events == frozenset()
    asked = LEAST | {"callback_events": ["call_answered", "call_started", "call_answered"]}
    assert read_client(asked, False, 1.0).callback_events == set(CallbackEvent)
    for wrong in ("call_started", ["call_ended"], [None], ["call_started"] * 17):
        (field,) = fields_refused(LEAST | {"callback_events": wrong})
        assert field.startswith("callback_events")
