"""Dial's options, letter by letter."""

import string

import pytest

from dialer.dial_options import DIAL_OPTIONS, check_dial_options
from dialer.policy import DEFAULT_POLICY, Policy
from tests.unit.dialer.test_policy import refused

FIELD = "action.Data"
ALL = Policy(
    dial_options=DIAL_OPTIONS, gosub_contexts=frozenset({"before", "after-1", "macro-greet"})
)


@pytest.mark.parametrize(
    "options",
    [
        "aCcdEegHhiIjKkNpRTtWwXxz",
        "A(hello)A(custom/en/hello:bye)A(:bye)",
        "b(before^s^1)b(before^+98*#^label)B(before^s^1(a^b c^))",
        "D(12#w3)D(1:2:3:4:5:6:7)",
        "ff(100)oo(+98100)",
        "F(before^s^1)G(after-1^s^2)U(before)U(before^one^two)M(greet^x)",
        "L(60000)L(60000:30000:10000)S(60)",
        "mm(jazz)rr(ring)",
        "nn(1)OO(2)PP(book)Q(16)Q(NO_ANSWER)s(tag)u(allowed_passed_screen)",
    ],
)
def test_an_operator_may_allow_every_letter(options: str) -> None:
    check_dial_options(options, ALL)


def test_the_letters_are_those_of_asterisk() -> None:
    """`v`, `q`, `y` … are no options; Asterisk would take them for a mistake."""
    unknown = set(string.ascii_letters) - DIAL_OPTIONS
    assert unknown == set("JVYZlqvy")
    assert DEFAULT_POLICY.dial_options <= DIAL_OPTIONS


@pytest.mark.parametrize("letter", sorted(DIAL_OPTIONS - DEFAULT_POLICY.dial_options))
def test_no_other_letter_is_allowed_by_default(letter: str) -> None:
    options = f"{letter}(before^s^1)"
    refused(lambda: check_dial_options(options, DEFAULT_POLICY), FIELD, f"'{letter}'")


@pytest.mark.parametrize(
    "options",
    [
        "A(../x)", "A(/etc/passwd)", "A(x&y)", "A", "D", "D(1,2)", "D(${X})", "f(1 2)", "f(A <1>)",
        "F", "F()", "F(1)", "F(s^1)", "F(before^s)", "G", "G(before^s^1", "G(before^s^1)^x)",
        "b", "b(1)", "b(s^1)", "b(before^s^n+1)", "b(before^s^1(a,b))", "b(before^s^1(a)b)",
        "b(before^s^1(a(b)))", 'b("before"^s^1)', "b(be\\fore^s^1)", "b(before^s^1(^{X}))",
        "L", "L(x)", "L(1:2:3:4)", "M", "M()", "m(a/b)", "n(2)", "O(3)", "P(a/b)", "Q", "Q(x y)",
        "r(", "r()", "S", "S(x)", "s", "s(a b)", "u", "u(A)", "U", "U()", "U(before", "U(before)x^",
        "U(before^a,b)", 'U(before^")', "U(before^a)b(before^s^1", "(", ")", " r", "r r", "Ã", "Ō",
        "\u0501", "v", "1", "r\u0660", "D(\u0661)", "r,http://x",
    ],
)  # fmt: skip
def test_arguments_have_their_form(options: str) -> None:
    """Among them letters that are no ASCII: Asterisk looks at seven bits of each byte only."""
    refused(lambda: check_dial_options(options, ALL), FIELD)


@pytest.mark.parametrize(
    ("options", "context"),
    [
        ("b(other^s^1)", "other"),
        ("B(other^s^1(before))", "other"),
        ("F(other^before^1)", "other"),
        ("G(Before^s^1)", "Before"),
        ("U(other^before^s^1)", "other"),
        ("U(before)U(other)", "other"),
        ("U(macro)", "macro"),
        ("M(before)", "macro-before"),
    ],
)
def test_dialplan_runs_in_the_gosub_contexts_alone(options: str, context: str) -> None:
    refused(lambda: check_dial_options(options, ALL), FIELD, f"'{context}'")


@pytest.mark.parametrize("letter", ["f", "o"])
def test_options_that_set_the_caller_id_obey_its_list(letter: str) -> None:
    policy = Policy(dial_options=DIAL_OPTIONS, caller_ids=frozenset({"100"}))
    check_dial_options(f"{letter}(100)", policy)
    refused(lambda: check_dial_options(f"{letter}(1001)", policy), FIELD, "caller ID")


def test_a_letter_is_told_from_its_form() -> None:
    refused(lambda: check_dial_options("g", DEFAULT_POLICY), FIELD, "'g' is not allowed")
    refused(lambda: check_dial_options("S", DEFAULT_POLICY), FIELD, "S(seconds)")
    refused(lambda: check_dial_options("r;", DEFAULT_POLICY), FIELD, "';'", "dial string")
