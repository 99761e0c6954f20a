"""Tokens that stand for an API key."""

import re

import pytest

from dialer.access_tokens import Token, derive_key, read_token, write_token

KEY = derive_key(b"k" * 32, b"installation")
TOKEN = Token("aB3dE6gH", 1704106800)


def test_what_was_written_is_read() -> None:
    text = write_token(TOKEN, KEY)
    assert read_token(text, KEY) == TOKEN
    assert re.fullmatch(r"dt_[\w-]{64}", text)


def test_keys_differ_by_both_secrets() -> None:
    assert len({KEY, derive_key(b"l" * 32, b"installation"), derive_key(b"k" * 32, b"x")}) == 3
    assert read_token(write_token(TOKEN, KEY), derive_key(b"l" * 32, b"installation")) is None


def test_no_other_text_is_a_token() -> None:
    text = write_token(TOKEN, KEY)
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        assert read_token(text[:place] + other + text[place + 1 :], KEY) is None


@pytest.mark.parametrize("text", ["", "dt_", "dt_" + "A" * 64, "dt_" + "A" * 63, "ä", "dk_x"])
def test_what_is_none(text: str) -> None:
    assert read_token(text, KEY) is None
