"""CDRs that were expected against those that a trace gave."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeGuard

from ami.trace import read_moment
from dialer.errors import DialerError
from dialer.replay.cdrs import STREAM_FIELDS

# Times and spans are compared to the microsecond that they are kept in.
_CLOSE: Final = 2e-6
# Asterisk tells name and number of a caller ID, not whether there were quotes.
_QUOTED: Final = re.compile(r'"([^"]*)" *(?=<)')
_BARE: Final = r"\1 "


class ExpectationInvalid(DialerError):
    """A file of expected CDRs that is none."""


def read_expected(text: str, name: str) -> dict[str, dict[str, Any]]:
    """Expected CDRs by ChannelId: a JSON array of objects, or an object a line. Raises
    ExpectationInvalid."""
    try:
        values = _parse(text)
    except (ValueError, RecursionError) as error:
        raise ExpectationInvalid(f"{name}: not JSON: {error}") from error
    expected: dict[str, dict[str, Any]] = {}
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict) or not isinstance(value.get("channel_id"), str):
            raise ExpectationInvalid(f"{name}: CDR {number} is no object with a channel_id")
        if value["channel_id"] in expected:
            raise ExpectationInvalid(f"{name}: two CDRs of {value['channel_id']}")
        expected[value["channel_id"]] = value
    return expected


def _parse(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        values = json.loads(text)
        return values if isinstance(values, list) else [values]
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return [json.loads(text)]


def compare_cdrs(
    expected: Mapping[str, Mapping[str, Any]], got: Iterable[Mapping[str, Any]]
) -> list[str]:
    """The differences, a line each, none where all is as expected. Of an expected CDR those fields
    count that a trace can tell (`STREAM_FIELDS`) and that it has."""
    lines: list[str] = []
    found: set[str] = set()
    for cdr in got:
        channel_id = str(cdr["channel_id"])
        if channel_id not in expected:
            lines.append(f"+ {channel_id}: not expected, {_show(cdr['disposition'])}")
            continue
        if channel_id in found:
            lines.append(f"+ {channel_id}: a second time, {_show(cdr['disposition'])}")
        found.add(channel_id)
        lines += _compare_one(channel_id, expected[channel_id], cdr)
    for channel_id, wanted in expected.items():
        if channel_id not in found:
            lines.append(f"- {channel_id}: expected {_show(wanted.get('disposition'))}, no CDR")
    return lines


def _compare_one(channel_id: str, wanted: Mapping[str, Any], cdr: Mapping[str, Any]) -> list[str]:
    return [
        f"~ {channel_id}: {name}: expected {_show(wanted[name])}, got {_show(cdr[name])}"
        for name in STREAM_FIELDS
        if name in wanted and not _equal(wanted[name], cdr[name], name)
    ]


def _equal(wanted: object, got: object, name: str) -> bool:
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        keys = wanted.keys() & got.keys()
        return bool(keys) and all(_equal(wanted[key], got[key], key) for key in keys)
    if name == "caller_id" and isinstance(wanted, str) and isinstance(got, str):
        return _QUOTED.sub(_BARE, wanted) == _QUOTED.sub(_BARE, got)
    if name.endswith("_at") and isinstance(wanted, str):
        wanted = read_moment(wanted)
    if _is_number(wanted) and _is_number(got):
        return bool(abs(wanted - got) <= _CLOSE)
    return bool(wanted == got)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
