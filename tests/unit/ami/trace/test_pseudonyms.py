import re
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.trace.pseudonyms import KEPT, Pseudonyms

KEY = b"a key of a test"
PSEUDONYMS = Pseudonyms(KEY)
replace = PSEUDONYMS.replace_text


def test_a_token_is_the_same_wherever_it_stands() -> None:
    number, trunk = replace("5551234"), replace("Trunk")
    assert replace("PJSIP/5551234@Trunk") == f"PJSIP/{number}@{trunk}"
    assert replace('"Trunk" <+5551234>') == f'"{trunk}" <+{number}>'
    assert replace("tRUNK").lower() == trunk.lower()
    assert Pseudonyms(KEY).replace_text("5551234") == number
    assert Pseudonyms(b"another").replace_text("5551234") != number


@pytest.mark.parametrize("form", ["0", "00", "000", "zz", "0a", "k0"])
def test_no_two_tokens_become_one(form: str) -> None:
    alphabets = {"0": "0123456789", "z": "abcdefghijklmnopqrstuvwxyz", "a": "abcdef", "k": "ghijk"}
    tokens = [""]
    for place in form:
        tokens = [token + char for token in tokens for char in alphabets[place]]
    assert len({replace(token) for token in tokens}) == len(tokens)


def test_words_of_kinds_are_kept_and_are_nobody_s_pseudonym(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [replace(word) for word in sorted(KEPT)] == sorted(KEPT)
    letters = "abcdefghijklmnopqrstuvwxyz"
    monkeypatch.setattr("ami.trace.pseudonyms.KEPT", frozenset({"ab", "yz"}))
    made = Pseudonyms(KEY)
    two = {made.replace_text(a + b) for a in letters for b in letters}
    assert len(two) == len(letters) ** 2
    assert made.replace_text("ab YZ") == "ab YZ"


def test_forms_stay() -> None:
    assert re.fullmatch(r"PJSIP/[a-z]{7}-\d{7}[a-f]", replace("PJSIP/carrier-0000001a"))
    assert re.fullmatch(r"Local/\d{3}@[a-z]+-\d{8};2", replace("Local/900@out-00000017;2"))
    assert replace("Local/900@out/n").endswith("/n")
    given = UUID("0190a1b2-7c3d-7def-8123-456789abcdef")
    made = UUID(replace(str(given)))
    assert (made.version, made.variant) == (given.version, given.variant)
    assert made != given
    assert replace(str(given).upper()) == str(made).upper()
    address = replace("10.0.0.5")
    assert all(0 <= int(octet) <= 255 for octet in address.split("."))
    assert replace("sip:a@10.0.0.5:5060").split("@")[1].startswith(f"{address}:")


def test_letters_of_others_become_others_of_them() -> None:
    made = replace("Jürgen 홍길동")
    assert re.fullmatch(r"[A-Z][à-ï][a-z]{4} [à-ï]{3}", made)
    broken = b"J\xfcrgen".decode("utf-8", "surrogateescape")
    data = replace(broken).encode("utf-8", "surrogateescape")
    assert len(data) == 6
    assert b"\xfc" not in data


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=120))
@settings(max_examples=60)
def test_any_text_keeps_its_length_and_what_stands_between(text: str) -> None:
    made = replace(text)
    assert made == replace(text)
    if "." not in text:
        assert len(made) == len(text)
    between = re.compile(r"[A-Za-z0-9\u0080-\U0010ffff.]+")
    assert between.sub("", made) == between.sub("", text)
