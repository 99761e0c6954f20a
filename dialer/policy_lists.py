"""What operators type to change a client's policy: `NAME=VALUES`, `NAME+=VALUES`, `NAME-=VALUES`.

Every value is checked for what its list holds, so that a slip of the pen is told at once instead of
refusing, or allowing, calls later. Raises `SettingsError` with one sentence.
"""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final

from dialer.applications import find_refused_word, spell_application
from dialer.dial_options import DIAL_OPTIONS
from dialer.errors import Refused, SettingsError
from dialer.policy import DEFAULT_POLICY, Policy, check_recording, is_dial_part
from dialer.variables import OURS, check_variables

LISTS: Final = tuple(f.name for f in fields(Policy))
"""The names of a policy's lists, in the order they are shown."""

UNLIMITED: Final = frozenset({"endpoints", "prefixes", "caller_ids"})
"""The lists that may allow all."""

ALL: Final = "*"
BUILT_IN: Final = "default"

_CHANGE: Final = re.compile(r"\s*([A-Za-z_]+)\s*(\+=|-=|=)(.*)")
_SEPARATOR: Final = re.compile(r",(?![^()]*\))")  # a comma that stands in no parentheses
_APPLICATION: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_TECHNOLOGY: Final = re.compile(r"[A-Za-z0-9_]{1,40}")
_CONTEXT: Final = re.compile(r"[A-Za-z0-9_.\-]{1,79}")
_NUMBER: Final = re.compile(r"[0-9*#+]{1,80}")
_FUNCTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\([A-Za-z0-9_,.:*#+@/ \-]+\))?")
# Functions that have no write of their own (func_shell.c, func_strings.c): assigning does nothing.
_READ_ONLY: Final = re.compile(r"_*(?:SHELL|EVAL)\(")
_MOST: Final = 1000  # values of one list
_LONGEST: Final = 200  # characters of one value


def change_policy(policy: Policy, text: str) -> Policy:
    """The policy after one change as it is typed on the command line."""
    match = _CHANGE.fullmatch(text) if text.isprintable() else None
    if match is None:
        raise SettingsError(f"policy {text!r}: write NAME=VALUES, NAME+=VALUES or NAME-=VALUES")
    name, operator, typed = match[1].lower(), match[2], match[3].strip()
    if name not in LISTS:
        raise SettingsError(f"policy: there is no list '{match[1]}'; there are {', '.join(LISTS)}")
    before: frozenset[str] | None = getattr(policy, name)
    if operator == "=":
        after = _read_whole(name, typed)
    else:
        after = _read_difference(name, before, operator, typed)
    if after is not None and len(after) > _MOST:
        raise SettingsError(f"policy {name}: more than {_MOST} values")
    changes: dict[str, frozenset[str] | None] = {name: after}
    return replace(policy, **changes)  # type: ignore[arg-type]


def show_list(policy: Policy, name: str) -> str:
    """A list of the policy as it is typed; `*` for all."""
    allowed: frozenset[str] | None = getattr(policy, name)
    return ALL if allowed is None else _join(name, allowed)


def show_change(before: Policy, after: Policy, name: str) -> str:
    """How a list differs, as it would be typed: `prefixes+=97 -=98`; whole where all are allowed
    before or after: `prefixes: * → 98`. '' where nothing differs."""
    old: frozenset[str] | None = getattr(before, name)
    new: frozenset[str] | None = getattr(after, name)
    if old == new:
        return ""
    if old is None or new is None:
        return f"{name}: {show_list(before, name)} → {show_list(after, name)}"
    parts = (("+=", new - old), ("-=", old - new))
    return name + " ".join(f"{sign}{_join(name, some)}" for sign, some in parts if some)


def _join(name: str, values: frozenset[str]) -> str:
    separator = "" if name == "dial_options" else ","
    return separator.join(sorted(values, key=lambda value: (value.casefold(), value)))


def _read_whole(name: str, typed: str) -> frozenset[str] | None:
    if typed == BUILT_IN:
        built_in: frozenset[str] | None = getattr(DEFAULT_POLICY, name)
        return built_in
    if typed == ALL and name in UNLIMITED:
        return None
    return _read_values(name, typed)


def _read_difference(
    name: str, before: frozenset[str] | None, operator: str, typed: str
) -> frozenset[str]:
    if before is None:
        raise SettingsError(f"policy {name}: all are allowed now; write {name}=VALUES first")
    values = _read_values(name, typed)
    if not values:
        raise SettingsError(f"policy {name}{operator}: no value is given")
    if operator == "+=":
        return before | values
    if missing := values - before:
        raise SettingsError(f"policy {name}: '{min(missing)}' is not on the list")
    return before - values


def _read_values(name: str, typed: str) -> frozenset[str]:
    values = [value.strip() for value in _SEPARATOR.split(typed)] if typed else []
    if name == "dial_options":
        values = list("".join(values))
    return frozenset(_read_value(name, value) for value in values)


def _read_value(name: str, value: str) -> str:
    if value == ALL:
        why = "stands alone" if name in UNLIMITED else "is not possible, name what is allowed"
        raise SettingsError(f"policy {name}: '{ALL}' {why}")
    fault = "is too long" if len(value) > _LONGEST else _FAULTS[name](value)
    if fault is not None:
        raise SettingsError(f"policy {name}: '{value[:_LONGEST]}' {fault}")
    return _SPELLINGS.get(name, str)(value)


def _find_application_fault(value: str) -> str | None:
    word = find_refused_word(value)
    if word is not None:
        return f"is refused by Asterisk itself, as any name that contains '{word}'"
    return None if _APPLICATION.fullmatch(value) else "is no name of an application"


def _find_technology_fault(value: str) -> str | None:
    if value.lower() == "local":
        return "is allowed by context: use local_contexts"
    return None if _TECHNOLOGY.fullmatch(value) else "is no name of a channel technology, as PJSIP"


def _find_endpoint_fault(value: str) -> str | None:
    return None if is_dial_part(value) else "cannot be an endpoint in a dial string"


def _find_context_fault(value: str) -> str | None:
    return None if _CONTEXT.fullmatch(value) else "is no name of a dialplan context"


def _find_option_fault(value: str) -> str | None:
    return None if value in DIAL_OPTIONS else "is no option of Dial's"


def _find_function_fault(value: str) -> str | None:
    """Also what the header could not carry: quotes and backslashes are eaten on the way."""
    if OURS in value.upper():
        return f"is ours, as every {OURS} variable"
    if not _FUNCTION.fullmatch(value):
        return "is no name of a variable or function, as PJSIP_HEADER(add,X-Name)"
    if _READ_ONLY.match(value):
        return "can only be read in Asterisk: nothing can be set by it"
    try:
        check_variables(f"{value}=x", Policy(functions=frozenset({value})))
    except Refused as refused:
        return refused.errors[0].message
    return None


def _find_profile_fault(value: str) -> str | None:
    try:
        check_recording(None, None, value, Policy(recording_profiles=frozenset({value})))
    except Refused:
        return "is no name of a recording profile: letters, digits and _ only"
    return None


def _find_prefix_fault(value: str) -> str | None:
    return None if is_dial_part(value) else "can begin no number in a dial string"


def _find_number_fault(value: str) -> str | None:
    return None if _NUMBER.fullmatch(value) else "is no number of digits, * # and +"


def _spell_technology(value: str) -> str:
    return value.upper() if value.upper() in DEFAULT_POLICY.technologies else value


_SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "applications": spell_application,
    "technologies": _spell_technology,
}
_FAULTS: Final[dict[str, Callable[[str], str | None]]] = {
    "applications": _find_application_fault,
    "technologies": _find_technology_fault,
    "endpoints": _find_endpoint_fault,
    "local_contexts": _find_context_fault,
    "gosub_contexts": _find_context_fault,
    "dial_options": _find_option_fault,
    "functions": _find_function_fault,
    "recording_profiles": _find_profile_fault,
    "prefixes": _find_prefix_fault,
    "caller_ids": _find_number_fault,
}
