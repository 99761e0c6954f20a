"""Masking: every number that a person would dial goes, every id stays, secrets go in any dress."""

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.redaction import MASK, Redactor, find_url_secrets, mask_numbers

REDACTOR = Redactor()

WRITTEN = [
    "989121234567",
    "+989121234567",
    "+98 912 123 4567",
    "+98 (912) 123-4567",
    "0912-123-4567",
    "0912.123.4567",
    "*989121234567#",
    "0912\u00a0123\u20114567",
    "\u0660\u0669\u0661\u0662\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    "5551234",
]
AROUND = [
    "{}",
    "PJSIP/{}@carrier",
    "PJSIP/{}-0000001c",
    "call-{}",
    "call-{}-2",
    "Local/{}@out/n",
    '"ACME" <{}>',
    "('{}', 12)",
    "sip:{}@10.0.0.1:5060",
    "/queues/{}/",
    '{{"number": "{}"}}',
    "abc{}def",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("number", WRITTEN)
def test_a_number_is_masked_however_it_is_written(number: str, around: str) -> None:
    masked = REDACTOR.redact(around.format(number))
    digits = [c for c in number if c.isdecimal()]
    assert MASK in masked
    if not around.endswith(("-2", "-0000001c")):  # which are taken for more of its digits
        assert MASK + "".join(digits[-4:]) in masked
    assert number not in masked
    assert "".join(digits[:-4]) not in masked


@given(
    groups=st.lists(st.from_regex(r"[3-9]{1,5}", fullmatch=True), min_size=7, max_size=12),
    between=st.sampled_from(["", " ", "-", ") ", " (", "*", "#", "\u2009", "+"]),
)
def test_no_seven_digits_survive_in_a_row(groups: list[str], between: str) -> None:
    masked = mask_numbers(between.join(groups))
    assert sum(c.isdecimal() for c in masked) == 4


@pytest.mark.parametrize(
    "kept",
    [
        "018d0000-0000-7000-8000-00000000000a",
        "018d0000-0000-7000-8000-00000000000a-2",
        "3f2504e04f8911d39a0c0305e82c3301-17",
        "2024-01-15T10:30:00.123456Z",
        "2024-01-15 10:30:00+03:30",
        "2024-01-15",
        "1705314600.1234",
        "pbx1-1705314600.12",
        "127.0.0.1:15038",
        "http://127.0.0.1:54321/calling/api/",
        "[Errno 111] Connect call failed ('127.0.0.1', 54321)",
        "PJSIP/carrier-0000001c",
        "port 8080 and 12345",
        "HTTP 500 after 3 tries, next in 12.3456789 s",
        "queue 123456",
        "sqlite+aiosqlite:////var/lib/dialer-2024-01-15/dialer-data0-aaaaaaaaaaaaaa.db",
    ],
)
def test_ids_times_and_addresses_stay(kept: str) -> None:
    assert REDACTOR.redact(kept) == kept
    assert REDACTOR.redact(f"at {kept}, again") == f"at {kept}, again"


@given(identity=st.uuids(), moment=st.datetimes(datetime(1980, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001
def test_what_we_make_stays_readable_beside_a_number(identity: uuid.UUID, moment: datetime) -> None:
    at = moment.replace(tzinfo=UTC).isoformat()
    text = f"{at} {identity} 989121234567 {identity} {at}"
    assert mask_numbers(text) == f"{at} {identity} {MASK}4567 {identity} {at}"


SECRETS = [
    ("Authorization: Bearer s3cr3t.value", "s3cr3t.value"),
    ("authorization: s3cr3t.value", "s3cr3t.value"),
    ("(b'authorization', b'Bearer s3cr3t.value')", "s3cr3t.value"),
    ("(b'x-api-key', b's3cr3t value')", "s3cr3t value"),
    ("X-API-KEY: s3cr3t.value\r\nHost: x", "s3cr3t.value"),
    ("{'Idempotency-Key': 's3cr3t value'}", "s3cr3t value"),
    ("Action: Login\r\nSecret: s3 cr3t value\r\n\r\n", "s3 cr3t value"),
    (repr(b"Action: Login\r\nSecret: s3 cr3t value\r\n\r\n"), "s3 cr3t value"),
    ("password=s3cr3t.value", "s3cr3t.value"),
    ("sgapi_token='s3cr3t value'", "s3cr3t value"),
    ("token s3cr3t: Basic czNjcjN0LnZhbHVl", "czNjcjN0LnZhbHVl"),
    ("key dk_AAAAAAAA_s3cr3t is wrong", "s3cr3t"),
    ("token dt_AAAA-s3cr3t_value0123456789 ended", "s3cr3t"),
    ("apiKey: s3cr3t.value\r\nHost: x", "s3cr3t.value"),
    ("page=1&api_hash=ff9a6b157cb1f79db73e7507635f878a&x=1", "ff9a6b157cb1f79db73e7507635f878a"),
    ("{'api_hash': 'ff9a6b157cb1f79db73e7507635f878a'}", "ff9a6b157cb1f79db73e7507635f878a"),
    ("signed with whsec_czNjcjN0LnZh+bHVl/w== now", "czNjcjN0LnZh+bHVl/w=="),
    ("http://user:s3cr3tvalue@host:80/x", "s3cr3tvalue"),
    ("postgresql+asyncpg://user:s3cr3t@value@host/db", "s3cr3t@value"),
    ("GET https://host/hook?token=s3cr3tvalue&x=1 failed", "s3cr3tvalue"),
    ("url='https://host/hook#s3cr3tvalue'", "s3cr3tvalue"),
    ("Cannot POST /hook?token=s3cr3tvalue", "s3cr3tvalue"),
    ("https://hooks.host/services/T0AAAAAAA/s3cr3tvalue0123456", "s3cr3tvalue0123456"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    masked = Redactor().hide_secrets(text)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "prose",
    [
        "the AMI secret: it is missing",
        "the environment variable PBX1_SECRET is not set",
        "give the client's API key in DIALER_API_KEY or with --api-key",
        "is this right? no",
        "Authentication failed",
        "--secret-env is the name of an environment variable, not the secret",
    ],
)
def test_talking_of_secrets_is_no_secret(prose: str) -> None:
    assert Redactor().redact(prose) == prose


@given(st.text(min_size=4, max_size=40))
def test_what_is_learnt_is_masked_in_every_spelling(secret: str) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    for shown in (secret, quote(secret, safe=""), repr(secret)[1:-1]):
        assert redactor.hide_secrets(shown) == MASK


def test_the_longer_of_two_secrets_leaves_nothing() -> None:
    redactor = Redactor()
    redactor.learn("secret", "secret-and-more", None, "x")
    assert redactor.hide_secrets("x: secret-and-more, secret") == f"x: {MASK}, {MASK}"


def test_secrets_of_a_url_are_found_as_written_and_decoded() -> None:
    url = "https://u:p%40ssword@h/services/T0AAAAAAA0123456789/x?token=ab%2Fcdefg&v=2#fragment"
    assert set(find_url_secrets(url)) == {
        *("p%40ssword", "p@ssword", "T0AAAAAAA0123456789"),
        *("token=ab%2Fcdefg&v=2", "ab%2Fcdefg", "ab/cdefg", "fragment"),
    }
    assert find_url_secrets("http://[") == ()


class Word(StrEnum):
    NUMBER = "989121234567"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("channel", "call-989121234567", "call-***4567"),
        ("contact", 989121234567, "***4567"),
        ("delivery", 12345678, 12345678),
        ("queue_id", 12345678, 12345678),
        ("port", 15038, 15038),
        ("at", 1705314600.25, 1705314600.25),
        ("ok", True, True),
        ("why", None, None),
        ("timestamp", "2024-01-15T10:30:00.1Z", "2024-01-15T10:30:00.1Z"),
        ("sgapi_token", "anything", MASK),
        ("secret", {"deep": "anything"}, MASK),
        ("word", Word.NUMBER, "***4567"),
        ("numbers", ["989121234567", 989121234567], ["***4567", "***4567"]),
        ("channels", ("call-989121234567",), ["call-***4567"]),
        ("body", {"989121234567": {"did": 989121234567}}, {"***4567": {"did": "***4567"}}),
        ("raw", b"989121234567", "b'***4567'"),
        ("error", ValueError("989121234567"), "***4567"),
    ],
)
def test_fields_are_masked_by_name_type_and_structure(
    name: str, value: object, shown: object
) -> None:
    assert REDACTOR.redact_field(name, value) == shown


def test_a_value_nested_without_end_is_masked_as_text() -> None:
    value: list[object] = ["989121234567"]
    for _ in range(20):
        value = [value]
    assert "989121234567" not in repr(REDACTOR.redact_field("deep", value))


@pytest.mark.parametrize(
    "unit", ["1-", "1    ", "a", "a.?", "?=a", "/a1", "12.", "x://", "Secret: "]
)
def test_hostile_texts_take_linear_time(unit: str) -> None:
    """Counted in what the pattern engine may do, not in seconds: a text that made it go back again
    and again would take minutes here."""
    text = unit * (200_000 // len(unit))
    assert isinstance(REDACTOR.redact(text), str)
