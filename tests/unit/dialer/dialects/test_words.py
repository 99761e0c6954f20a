import pytest

from dialer.dialects.words import CLOSED, freeze, invert

OTHERS = (
    *("busy", "no-answer", "not-available", "invalid", "congestion", "cancel", "failed"),
    *("unknown", "expired", "terminated"),
)
WHOLE = dict.fromkeys(OTHERS, "B") | {"answered": "A"}


def test_a_table_without_a_disposition_is_refused() -> None:
    with pytest.raises(ValueError, match="busy"):
        freeze({name: word for name, word in WHOLE.items() if name != "busy"})


def test_a_table_with_an_unknown_disposition_is_refused() -> None:
    with pytest.raises(ValueError, match="bussy"):
        freeze(WHOLE | {"bussy": "B"})


def test_words_lead_back_to_what_a_cdr_can_have() -> None:
    back = invert(freeze(WHOLE))
    assert back["A"] == {"answered"}
    assert back["B"] == set(WHOLE) - {"answered"} - CLOSED


def test_a_word_for_closings_alone_selects_nothing() -> None:
    assert invert(freeze(WHOLE | {"expired": "C"}))["C"] == frozenset()
