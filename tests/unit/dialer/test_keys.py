"""API keys: form, checksum, proof."""

import random

import pytest

from dialer.keys import check_key, find_lookup, make_key

SECRET = b"installation secret"


def _key(seed: int = 1) -> str:
    return make_key(SECRET, random.Random(seed))[0]


def test_form() -> None:
    text, stored = make_key(SECRET, random.Random(1))
    prefix, lookup, secret, checksum = text.split("_")
    assert (prefix, len(lookup), len(secret), len(checksum)) == ("dk", 8, 32, 6)
    assert stored.lookup == lookup == find_lookup(text)
    assert secret not in stored.digest


def test_default_randomness_gives_distinct_keys() -> None:
    assert len({make_key(SECRET)[0] for _ in range(50)}) == 50


def test_a_key_proves_itself() -> None:
    text, stored = make_key(SECRET, random.Random(1))
    assert check_key(text, stored, SECRET)


def test_what_does_not_prove() -> None:
    text, stored = make_key(SECRET, random.Random(1))
    assert not check_key(_key(2), stored, SECRET)
    assert not check_key(text, stored, b"another installation")
    assert not check_key(text, None, SECRET)
    assert not check_key("", None, SECRET)


@pytest.mark.parametrize("place", range(len(_key())))
def test_one_wrong_character_is_seen_without_a_database(place: int) -> None:
    text = _key()
    wrong = "B" if text[place] == "A" else "A"
    assert find_lookup(text[:place] + wrong + text[place + 1 :]) is None


@pytest.mark.parametrize("text", ["", "dk_", "x" * 52, _key()[:-1], _key() + "0", " " + _key()])
def test_other_texts_have_no_lookup(text: str) -> None:
    assert find_lookup(text) is None
