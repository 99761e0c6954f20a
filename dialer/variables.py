"""A client's `Variable`, taken apart exactly as Asterisk will take it apart."""

import re
from dataclasses import dataclass
from typing import Final

from ami import assign, is_reserved
from dialer.policy import (
    Policy,
    check_caller_number,
    check_evaluated,
    check_line,
    check_text,
    refusal,
)

FIELD: Final = "action.Variable"
MAX_ASSIGNMENTS: Final = 64  # AST_APP_ARG(vars)[64] in manager.c; the rest would be lost
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OURS: Final = "DIALER_"
# Functions that an operator may have listed, and that set who calls; not those of its name alone.
_SETS_NUMBER = re.compile(r"_*(?:CALLERID|CONNECTEDLINE|REDIRECTING)\((?![^)]*name)", re.IGNORECASE)
_OPENING = {"(": "paren", "[": "bracket"}
_CLOSING = {")": "paren", "]": "bracket"}
_ENDS_ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_SPECIAL = re.compile(r'[()\[\]"\\]')


@dataclass(frozen=True, slots=True)
class Assignment:
    """`raw` as the client wrote it; `name` and `value` as Asterisk reads them: without quotes,
    each backslash gone and what it stood before taken as it is."""

    raw: str
    name: str
    value: str

    @property
    def text(self) -> str:
        """For a Variable header of its own, from which Asterisk reads this name and value."""
        return assign(self.name, self.value)


def split_assignments(text: str) -> list[Assignment]:
    """Split at the commas that stand outside parentheses, brackets and quotes (main/app.c,
    __ast_app_separate_args, which `Variable:` goes through)."""
    if not text:
        return []
    if not _SPECIAL.search(text):
        return [_assignment(raw, raw) for raw in text.split(",")]
    return [_assignment(raw, clean) for raw, clean in _separate(text)]


def check_variables(text: str, policy: Policy) -> list[Assignment]:
    """The assignments of a Variable that this policy allows. A name that ends in `)` would call a
    dialplan function (`FILE(/path)` writes a file), and on some names Asterisk acts by itself
    (`MONITOR_EXEC` runs a program): only exact names of the operator's pass."""
    check_text(FIELD, text)
    check_evaluated(FIELD, text)
    check_line(FIELD, "Variable", text)
    assignments = split_assignments(text)
    if len(assignments) > MAX_ASSIGNMENTS:
        raise refusal(FIELD, f"has more than {MAX_ASSIGNMENTS} assignments")
    if _ENDS_ESCAPED.search(text):
        raise refusal(FIELD, "a backslash at the end escapes nothing")
    for assignment in assignments:
        if "=" not in assignment.raw:
            raise refusal(FIELD, f"'{assignment.raw}' is no NAME=value")
        _check_name(assignment.name, policy)
        if policy.caller_ids is not None and _SETS_NUMBER.match(assignment.name):
            check_caller_number(assignment.value, policy, None, FIELD)
        check_line(FIELD, "Variable", assignment.text)  # escapes make it longer
    return assignments


def _check_name(name: str, policy: Policy) -> None:
    if name in policy.functions:
        return
    if not _NAME.fullmatch(name):
        raise refusal(FIELD, f"the variable name '{name}' is not allowed")
    if name.lstrip("_").startswith(OURS):
        raise refusal(FIELD, f"variable names that begin with {OURS} are ours")
    if is_reserved(name):
        raise refusal(FIELD, f"Asterisk itself acts on the variable '{name}'; it is not allowed")


def _assignment(raw: str, clean: str) -> Assignment:
    name, _, value = clean.partition("=")
    return Assignment(raw, name, value)


def _separate(text: str) -> list[tuple[str, str]]:
    """(raw, cleaned) of every argument. Ported from the C loop, character by character."""
    parts: list[tuple[str, str]] = []
    depth = {"paren": 0, "bracket": 0}
    quoted = False
    start = 0
    clean: list[str] = []
    place = 0
    while place < len(text):
        char = text[place]
        if char in _OPENING:
            depth[_OPENING[char]] += 1
        elif char in _CLOSING:
            depth[_CLOSING[char]] = max(0, depth[_CLOSING[char]] - 1)
        elif char == '"':
            quoted = not quoted
            char = ""
        elif char == "\\":
            place += 1
            char = text[place : place + 1]
        elif char == "," and not (quoted or depth["paren"] or depth["bracket"]):
            parts.append((text[start:place], "".join(clean)))
            start, clean, char = place + 1, [], ""
        clean.append(char)
        place += 1
    parts.append((text[start:], "".join(clean)))
    return parts
