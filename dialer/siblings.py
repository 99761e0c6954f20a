"""Items of a batch that are like one before but for whom they call.

Nearly all items of a batch share all fields but a few: what was found out about the shared ones
holds for every sibling, and only what is an item's own is looked at again. Nothing is decided here
that `dialer.items` decides otherwise: what is not plainly right goes the long way, which names
every fault (tests/unit/dialer/test_siblings.py compares the two).
"""

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

from pydantic_core import to_json

from dialer.applications import check_application, check_data
from dialer.errors import Refused
from dialer.policy import Policy, check_dial_string, fits_wire
from dialer.store.contract import NewItem
from dialer.variables import check_variables

OWN_ITEM: Final = frozenset({"action", "contact_number"})
OWN_ACTION: Final = frozenset({"ActionID", "Channel", "Data", "Variable", "ChannelId"})
_REMEMBERED: Final = 1024  # values of Data and Variable that are known to be right
_SHORT: Final = 150  # characters: no limit of a dial string or a line is near
_NUMBER_AT: Final = re.compile(r"(([A-Za-z0-9]+)/)([A-Za-z0-9+*#_.\-]+)(@[A-Za-z0-9+*#_.\-]+)")
_DIGITS: Final = re.compile(r"[1-9][0-9]{0,14}")
# Data that Asterisk refuses has capital letters; a dial string of these has none of its words.
_SAFE_NUMBER: Final = re.compile(r"[0-9+*#]+")
# Stands for an own field while the text around is made. No field of a plain body can hold it.
_MARKS: Final = tuple(f"\x00{place}" for place in range(6))

Fallback = Callable[[], str | None]


class Family:
    """What holds for all siblings of one item, whose every field passed."""

    def __init__(
        self, item: dict[str, Any], made: NewItem, policy: Policy, new_id: Callable[[], str]
    ) -> None:
        action = item["action"]
        self._keys, self._action_keys = tuple(item), tuple(action)
        self._item = itemgetter(*(name for name in item if name not in OWN_ITEM))
        self._action = itemgetter(*(name for name in action if name not in OWN_ACTION))
        self._values = self._item(item)
        self._action_values = self._action(action)
        self._policy, self._new_id = policy, new_id
        self._server_id, self._retry, self._deadline = made.server_id, made.retry, made.deadline
        self._caller_id = action.get("CallerID") or item.get("caller_id")
        named: str = action.get("Application") or ""
        self._application = check_application(named, policy) if named else ""
        # Longer Data may be too long for the line that a recorded call's goes in.
        self._longest = _SHORT if item.get("create_recording") else 10_000
        self._targets: set[tuple[str, str]] = set()
        self._right: dict[str, set[str]] = {"Data": set(), "Variable": set(), "rest": set()}
        self._texts = _cut(made.payload)

    def make(self, item: dict[str, Any], fallback: Fallback, did: str | None) -> NewItem | None:
        """The item, or None where it is no sibling, or not plainly right."""
        action = item.get("action")
        # Parsed bodies have their keys in the documented order.
        if (
            action is None
            or tuple(item) != self._keys
            or tuple(action) != self._action_keys
            or self._item(item) != self._values
            or self._action(action) != self._action_values
        ):
            return None
        get = action.get
        channel, data, variable = get("Channel"), get("Data"), get("Variable")
        contact = item.get("contact_number")
        number = self._find_number(channel)
        if (
            number is None
            or (data and data not in self._right["Data"] and not self._takes_data(data))
            or (data and len(data) > self._longest)
            or (variable and not self._takes_variable(variable))
            or not (contact is None or type(contact) is int or _DIGITS.fullmatch(contact))
            or (type(contact) is int and not 0 <= contact < 10**15)
        ):
            return None
        call_id, channel_id = get("ActionID"), get("ChannelId")
        head, a, b, c, d, e, tail = self._texts
        return NewItem(
            self._server_id,
            call_id or self._new_id(),
            number,
            self._caller_id or fallback() or did,
            f"{head}{_quote(call_id)}{a}{_quote(channel)}{b}{_quote(data)}{c}{_quote(variable)}{d}"
            f"{_quote(channel_id)}{e}{'null' if contact is None else contact}{tail}",
            self._retry,
            self._deadline,
            None,
            channel_id if channel_id and fits_wire(channel_id) else None,
        )

    def _find_number(self, text: str | None) -> str | None:
        """The number that a dial string dials, where the policy lets it pass."""
        if not text:
            return None
        match = _NUMBER_AT.fullmatch(text) if len(text) < _SHORT else None
        if match is not None and (match[2], match[4]) in self._targets:
            return match[3]
        try:
            target = check_dial_string(text, self._policy)
        except Refused:
            return None
        # Remembered is only what depends on nothing but technology and endpoint.
        if match is not None and self._policy.prefixes is None and match[2] == target.tech:
            self._targets.add((match[2], match[4]))
        return target.number

    def _takes_data(self, data: str) -> bool:
        if self._application == "Dial" and len(data) < _SHORT:
            target, _, rest = data.partition(",")
            match = _NUMBER_AT.fullmatch(target)
            if (
                match is not None
                and (match[2], match[4]) in self._targets
                and rest in self._right["rest"]
                and _SAFE_NUMBER.fullmatch(match[3])
            ):
                return True
            if not self._checks("Data", data, lambda: check_data("Dial", data, self._policy)):
                return False
            if match is not None and self._find_number(target) is not None:
                self._remember("rest", rest)
            return True
        return self._checks("Data", data, lambda: check_data(self._application, data, self._policy))

    def _takes_variable(self, text: str) -> bool:
        if text in self._right["Variable"]:
            return True
        return self._checks("Variable", text, lambda: check_variables(text, self._policy))

    def _checks(self, kind: str, text: str, rule: Callable[[], object]) -> bool:
        try:
            rule()
        except Refused:
            return False
        self._remember(kind, text)
        return True

    def _remember(self, kind: str, text: str) -> None:
        known = self._right[kind]
        if len(known) < _REMEMBERED:
            known.add(text)


def _quote(text: str | None) -> str:
    """As JSON: the body is plain, it holds no character that JSON would escape."""
    return "null" if text is None else f'"{text}"'


def _cut(payload: dict[str, Any]) -> list[str]:
    """The payload's text around its own fields, in their order."""
    action, marks = payload["action"], iter(_MARKS)
    marked = {name: next(marks) if name in OWN_ACTION else action[name] for name in action}
    whole = {**payload, "action": marked, "contact_number": next(marks)}
    text = to_json(whole).decode()
    pieces = []
    for mark in _MARKS:
        piece, _, text = text.partition(to_json(mark).decode())
        pieces.append(piece)
    return [*pieces, text]
