"""Dial's options (Asterisk 22, app_dial.c): what each letter may be given, and which of them lead
into the dialplan.

Asterisk takes the options apart letter by letter; what stands in parentheses behind one is its
argument, whatever the letter. So every letter that an operator may allow has its grammar here, of
plain characters alone: none that Asterisk quotes, escapes, evaluates or separates arguments with.
"""

import re
from typing import Final, NoReturn

from dialer.caller_id import find_number
from dialer.policy import Policy, check_forbidden, check_text, refusal

DATA: Final = "action.Data"

_NAME = r"[A-Za-z0-9_-]{1,80}"
_SOUND = r"[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*"
# A place in the dialplan: context, extension and priority, none left out, for what is left out
# Asterisk takes from wherever the channel happens to be.
_PLACE = r"([A-Za-z0-9_.-]{1,79})\^[A-Za-z0-9*#+_.-]{1,79}\^(?:[0-9]{1,5}|[A-Za-z][A-Za-z0-9_-]*)"
_ARGUMENT = r"[A-Za-z0-9*#+_.:@/ -]*"
_GOSUB = rf"\({_PLACE}(?:\({_ARGUMENT}(?:\^{_ARGUMENT})*\))?\)"
_ROUTINE = rf"\(([A-Za-z0-9_.-]{{1,79}})(?:\^{_ARGUMENT})*\)"
_CALLER = r"\(([0-9*#+]{1,80})\)"
_MILLISECONDS = r"[0-9]{1,9}(?::[0-9]{0,9}){0,2}"

_ARGUMENTS: Final[dict[str, tuple[str, str]]] = {
    "A": (rf"\((?:{_SOUND})?(?::{_SOUND})?\)", "A(sound:sound)"),
    "b": (_GOSUB, "b(context^extension^priority(argument^…))"),
    "B": (_GOSUB, "B(context^extension^priority(argument^…))"),
    "D": (r"\([0-9A-Za-z*#]*(?::[0-9A-Za-z*#]*){0,6}\)", "D(digits:digits…)"),
    "f": (rf"(?:{_CALLER})?", "f or f(number)"),
    "F": (rf"\({_PLACE}\)", "F(context^extension^priority)"),
    "G": (rf"\({_PLACE}\)", "G(context^extension^priority)"),
    "L": (rf"\({_MILLISECONDS}\)", "L(ms:ms:ms)"),
    "m": (rf"(?:\({_NAME}\))?", "m or m(class)"),
    "M": (_ROUTINE, "M(macro^argument…)"),
    "n": (r"(?:\([01]?\))?", "n or n(1)"),
    "o": (rf"(?:{_CALLER})?", "o or o(number)"),
    "O": (r"(?:\([12]\))?", "O or O(1) or O(2)"),
    "P": (rf"(?:\({_NAME}\))?", "P or P(name)"),
    "Q": (r"\((?:[0-9]{1,3}|[A-Z_]{1,40})\)", "Q(cause)"),
    "r": (rf"(?:\({_NAME}\))?", "r or r(tone)"),
    "s": (rf"\({_NAME}\)", "s(tag)"),
    "S": (r"\([0-9]{1,6}\)", "S(seconds)"),
    "u": (r"\([a-z_]{1,40}\)", "u(presentation)"),
    "U": (_ROUTINE, "U(context^argument…)"),
}
_PLAIN = "aCcdEegHhiIjKkNpRTtWwXxz"
DIAL_OPTIONS: Final = frozenset(_ARGUMENTS) | frozenset(_PLAIN)
"""The letters that an operator may allow."""

_TOKENS: Final = {
    **{letter: re.compile(letter) for letter in _PLAIN},
    **{letter: re.compile(letter + grammar) for letter, (grammar, _) in _ARGUMENTS.items()},
}
# Letters whose argument begins with where dialplan is run, by what its context is called then.
_RUNS_DIALPLAN: Final = dict.fromkeys("bBFGU", "{}") | {"M": "macro-{}"}
_SETS_CALLER_ID = "fo"


def check_dial_options(options: str, policy: Policy) -> None:
    """Refuse options that this policy does not allow, arguments that are not of the letter's form,
    dialplan outside the policy's Gosub contexts, and caller IDs outside its list."""
    place = 0
    while place < len(options):
        letter = options[place]
        if letter not in policy.dial_options or letter not in _TOKENS:
            _refuse(options, f"Dial option '{letter}' is not allowed")
        token = _TOKENS[letter].match(options, place)
        if token is None:
            _refuse(options, f"Dial option '{letter}' must be {_ARGUMENTS[letter][1]}")
        if letter in _RUNS_DIALPLAN:
            _check_context(letter, token[1], policy)
        elif letter in _SETS_CALLER_ID and token[1]:
            _check_caller(letter, token[1], policy)
        place = token.end()


def _refuse(options: str, message: str) -> NoReturn:
    check_text(DATA, options)
    check_forbidden(DATA, options)
    raise refusal(DATA, message)


def _check_context(letter: str, name: str, policy: Policy) -> None:
    context = _RUNS_DIALPLAN[letter].format(name)
    if context not in policy.gosub_contexts:
        raise refusal(DATA, f"Dial option '{letter}': context '{context}' is not allowed")


def _check_caller(letter: str, number: str, policy: Policy) -> None:
    if policy.caller_ids is not None and find_number(number) not in policy.caller_ids:
        raise refusal(DATA, f"Dial option '{letter}': the number of the caller ID is not allowed")
