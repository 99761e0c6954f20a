"""The schemas of fields say what the rules say."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dialer import fields
from dialer.applications import check_data
from dialer.errors import Refused
from dialer.policy import (
    DEFAULT_POLICY,
    check_caller_id,
    check_channel_ids,
    check_codecs,
    check_dial_string,
    check_recording,
    check_text,
)
from dialer.variables import check_variables

TEXTS = st.text(st.characters(codec="utf-8"), max_size=100) | st.text(
    'PJSIP/IAX2@a1,.-_()&|;`${^["\\= \x7fé€', max_size=40
)


def taken(rule: Callable[[str], object], text: str) -> bool:
    try:
        rule(text)
    except Refused:
        return False
    return True


def fits(schema: fields.Schema, text: str) -> bool:
    choices = schema.get("anyOf", [schema])
    return any(
        re.search(choice["pattern"], text) is not None
        and len(text) <= choice.get("maxLength", 10**6)
        and not text.endswith("\n")
        for choice in choices
        if "pattern" in choice
    )


def recording_path(text: str) -> None:
    check_recording(text, None, None, DEFAULT_POLICY)


def data(application: str) -> Callable[[str], object]:
    return lambda text: check_data(application, text, DEFAULT_POLICY)


EXACT: dict[str, tuple[fields.Schema, Callable[[str], object]]] = {
    "plain": (fields.PLAIN, partial(check_text, "project")),
    "channel": (fields.CHANNEL, lambda text: check_dial_string(text, DEFAULT_POLICY)),
    "recording_path": (fields.RECORDING_PATH, recording_path),
    "other_channel_id": (
        fields.OTHER_CHANNEL_ID,
        lambda text: check_channel_ids(None, text, local=False),
    ),
    **{
        application: (fields.text(f"{fields.within(1016, pattern)}"), data(application))
        for application, pattern in fields.DATA.items()
    },
}
"""Fields whose schema takes the very texts that the rule takes (words that Asterisk refuses, and
what is longer than a line, aside)."""

NARROWER: dict[str, tuple[fields.Schema, Callable[[str], object]]] = {
    "caller_id": (fields.CALLER_ID, check_caller_id),
    "variable": (fields.VARIABLE, lambda text: check_variables(text, DEFAULT_POLICY)),
    "codecs": (fields.CODECS, lambda text: check_codecs(text or "ulaw")),  # '' is as good as none
}
"""Fields whose schema takes what the rule takes, but not all of it."""

REFUSED_WORDS = re.compile("CURL|DB|EVAL|FILE|ODBC|REALTIME|SHELL")


@pytest.mark.parametrize("name", EXACT)
@given(text=TEXTS)
@example(text="PJSIP/1234567890@endpoint1,30,rm(default)L(60000:5000)")
@example(text="support,,,,60")
@example(text="welcome&menu,skip")
@example(text="Local/5@anywhere")
@example(text="sip/trunk/5")
@example(text="monday/../sunday")
@example(text="a" * 201)
@settings(max_examples=30)
def test_a_text_fits_exactly_when_it_is_taken(name: str, text: str) -> None:
    schema, rule = EXACT[name]
    if not REFUSED_WORDS.search(text):
        assert fits(schema, text) == taken(rule, text), (name, text)


@pytest.mark.parametrize("name", [*EXACT, *NARROWER])
@given(draw=st.data())
@settings(max_examples=15)
def test_what_fits_is_taken(name: str, draw: st.DataObject) -> None:
    schema, rule = (EXACT | NARROWER)[name]
    text = draw.draw(st.from_regex(schema["pattern"], alphabet=st.characters(codec="utf-8")))
    if fits(schema, text) and not REFUSED_WORDS.search(text) and len(text) < 200:
        assert taken(rule, text), (name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("caller_id", "Müller GmbH <+4915112345678>"),
        ("caller_id", "x" * 80),
        ("variable", 'A=1,B="x,y",C=a\\,b'),
        ("codecs", "ulaw,alaw"),
        ("codecs", ""),
    ],
)
def test_what_clients_write_fits(name: str, text: str) -> None:
    schema, rule = NARROWER[name]
    assert fits(schema, text)
    assert taken(rule, text)


@pytest.mark.parametrize("text", [" x", "x" * 81, "é" * 41, "${x}", "a\x1b"])
def test_what_is_refused_does_not_fit(text: str) -> None:
    assert not fits(fields.CALLER_ID, text)
    assert not taken(check_caller_id, text)


@given(
    st.datetimes().filter(lambda moment: moment.year >= 1000),
    st.sampled_from(["", "Z", "+05:30", "-0800"]),
)
def test_every_moment_fits(moment: datetime, zone: str) -> None:
    assert fits(fields.DEADLINE, moment.isoformat() + zone)


@pytest.mark.parametrize(
    ("text", "fitting"),
    [
        ("2024-02-29T10:00:00Z", True),
        ("2000-02-29 10:00", True),
        ("2023-02-29T10:00:00Z", False),
        ("2100-02-29T10:00:00Z", False),
        ("2024-04-31T10:00:00Z", False),
        ("2024-12-31", False),
        ("1704103200", False),
        ("0000-01-01T00:00:00Z", False),
    ],
)
def test_days_that_are_none_do_not_fit(text: str, fitting: bool) -> None:
    assert fits(fields.DEADLINE, text) is fitting


@given(st.integers(-5, 130_000), st.sampled_from(["", "0", "00"]))
def test_digits_fit_within_their_limits(number: int, zeros: str) -> None:
    text = f"{zeros}{number}"
    for schema, low, high in (
        (fields.COUNT, 0, 1000),
        (fields.SECONDS, 1, 120),
        (fields.MILLISECONDS, 1000, 120_000),
        (fields.CHANNELS, 0, 100_000),
    ):
        assert fits(schema, text) is (low <= number <= high and number >= 0)


def test_gaps_fit_up_to_thirty_days() -> None:
    longest = fields.MAX_RETRY_GAP
    for seconds in (0, 999_999, 1_999_999, 2_499_999, 2_589_999, 2_591_999, longest):
        assert fits(fields.RETRY_GAP, str(seconds))
    assert not fits(fields.RETRY_GAP, str(longest + 1))


def test_words_fit_in_any_case() -> None:
    assert fits(fields.STATES["call_status"], "PenDing")
    assert not fits(fields.STATES["call_status"], "waiting")
    assert fields.STATES["call_status"]["examples"][0] == "pending"


@pytest.mark.parametrize(
    ("text", "fitting"),
    [("", True), ("0", True), ("+0123", True), ("9" * 31, True), ("9" * 32, False), ("+", False)],
)
def test_contact_numbers(text: str, fitting: bool) -> None:
    assert fits(fields.CONTACT, text) is fitting
