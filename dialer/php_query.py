"""Parameters as PHP writes and reads them: `http_build_query`, bracketed keys, and the `api_hash`
of the PBX's API that is made over them. Pure.

Made to give what PHP 8 gives, byte for byte (`ext/standard/http.c`, `main/php_variables.c`);
`tests/unit/dialer/test_php_query.py` compares both with a real PHP.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote_plus, unquote_to_bytes

HASH: Final = "api_hash"
MOST_PARAMETERS: Final = 1000
"""PHP's own bound (`max_input_vars`)."""
DEEPEST: Final = 32
"""Levels of brackets; PHP's bound is 64, the API's parameters have three."""

_INT64: Final = 2**63
_PRECISION: Final = 14  # php.ini's `precision`: significant digits of a float
_BRACKETED: Final = re.compile(r"([^\[]*)((?:\[[^\]]*\])+)[^\[]*", re.DOTALL)
_BRACKET: Final = re.compile(r"\[([^\]]*)\]", re.DOTALL)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


class BadParameters(ValueError):
    """Parameters that cannot be read; the text says why, in few words."""


def build_query(params: Mapping[str, Any]) -> str:
    """PHP's `http_build_query(params)`: nested values with bracketed keys, in their order; null and
    empty lists drop out, booleans are 1 and 0, blanks `+`. Takes what JSON can hold."""
    return "&".join(_write(params, "", ""))


def hash_params(params: Mapping[str, Any], key: str) -> str:
    """The `api_hash` of `params`, which carry none: md5 of their query and the key, in hex."""
    text = build_query(params) + key
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def check_hash(params: Mapping[str, Any], key: str) -> bool:
    """Whether the `api_hash` among `params` is theirs, in constant time. Keys that are bracketed
    already may stand there as they were sent, or as PHP has them once it read them."""
    given = params.get(HASH)
    sent = given.strip().lower() if isinstance(given, str) else ""
    rest = {name: value for name, value in params.items() if name != HASH}
    expected = [hash_params(rest, key), hash_params(nest(rest), key)]
    equal = [hmac.compare_digest(sent.encode(), one.encode()) for one in expected]
    return any(equal)


def parse_form(text: str) -> dict[str, Any]:
    """PHP's `parse_str`: `a[b][0]=x&a[b][]=y` as nested dicts, whose keys are texts in the order
    they came, lists among them too. Raises `BadParameters`."""
    pairs: list[tuple[str, str]] = []
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if name:
            pairs.append((_decode(name), _decode(value)))
        if len(pairs) > MOST_PARAMETERS:
            raise BadParameters("too many parameters")
    return nest_pairs(pairs)


def nest(params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` of which some have bracketed keys, as `parse_form` would have given them; values
    stay as they are. Raises `BadParameters`."""
    if len(params) > MOST_PARAMETERS:
        raise BadParameters("too many parameters")
    return nest_pairs(list(params.items()))


def list_values(value: object) -> list[Any] | None:
    """The values of a list, which is a dict where it came as a form; None for what is neither."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else None


def _write(value: object, prefix: str, suffix: str) -> Iterator[str]:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(_as_list(value))
    for key, part in pairs:
        name = f"{prefix}{_encode(str(key))}{suffix}"
        if isinstance(part, Mapping | list):
            yield from _write(part, f"{name}%5B", "%5D")
        elif part is not None:
            yield f"{name}={_encode(_spell(part))}"


def _as_list(value: object) -> list[Any]:
    assert isinstance(value, list)
    return value


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return _spell_float(float(str(value)))  # by its text: what is too large becomes INF
    return _spell_float(value) if isinstance(value, float) else str(value)


def _spell_float(value: float) -> str:
    """`%.14G` as PHP prints it: `1.0E+25`, `1.5E-7`."""
    text = f"{value:.{_PRECISION}G}"
    mantissa, mark, exponent = text.partition("E")
    if not mark:
        return text
    sign, digits = exponent[0], exponent[1:].lstrip("0")
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}E{sign}{digits}"


def _encode(text: str) -> str:
    """PHP's `urlencode`, which unlike Python's writes `~` as `%7E`."""
    return quote_plus(text, safe="").replace("~", "%7E")


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise BadParameters("not UTF-8") from None


def nest_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Fields of a form in the order they came, as `parse_form` gives them. Raises
    `BadParameters`."""
    whole: dict[str, Any] = {}
    for name, value in pairs:
        path = _split(name)
        target = whole
        for step in path[:-1]:
            below = target.get(_index(target, step))
            if not isinstance(below, dict):
                below = {}
            target[_index(target, step)] = below
            target = below
        target[_index(target, path[-1])] = value
    return whole


def _split(name: str) -> list[str]:
    found = _BRACKETED.fullmatch(name)
    if found is None or not found[1]:
        return [name]
    keys = _BRACKET.findall(found[2])
    if len(keys) >= DEEPEST:
        raise BadParameters("nested too deeply")
    return [found[1], *keys]


def _index(target: Mapping[str, Any], step: str) -> str:
    """`[]` is the next free index."""
    if step:
        return step
    taken = [int(key) for key in target if _INDEX.fullmatch(key)]
    return str(max(taken, default=-1) + 1)
