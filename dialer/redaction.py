"""Masks secrets and phone numbers in texts that people and log collectors read. Pure.

What is known to be secret (`Redactor.learn`) is masked wherever it stands. What has the form of a
secret is masked without being known: API keys, Authorization values, an AMI Secret line, userinfo
and query of a URL. Phone numbers are told by structure: seven or more digits, of any script, with
what people write between them; UUIDs, times, addresses and fractions are none.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK: Final = "***"
SHOWN_DIGITS: Final = 4
"""Last digits of a phone number that stay readable: enough to tell two calls apart."""

SHORTEST_SECRET: Final = 4
"""Characters; masking shorter ones would leave nothing of a text."""

SHORTEST_IN_URL: Final = 6
"""Characters; shorter values of a query (`v=2`, `to=test`) are no tokens."""

DEEPEST: Final = 6
"""Levels of a nested value that are looked into; what lies deeper is masked as text."""

_HEADERS: Final = (
    r"(?:proxy-)?authorization|x-api-key|apikey|(?:x-)?idempotency-key|(?:set-)?cookie"
)
_SECRET_NAMES: Final = rf"{_HEADERS}|api[_-]?(?:key|hash)|password|passwd|secret|token"
_SECRET_FIELD: Final = re.compile(rf"(?:.*_)?(?:{_SECRET_NAMES})", re.IGNORECASE)

# `Authorization: Bearer x`, `api_key=x`, `'token': 'x'`, `(b'x-api-key', b'x')`; no prose
# ("the secret: it is missing").
_NAMED: Final = re.compile(
    rf"(?P<name>(?:\b|(?<=_))(?:(?:{_HEADERS}):\s*"
    rf"|(?:{_SECRET_NAMES})(?:['\"]\s*[:=,]\s*b?|\s*=\s*|:(?=\S))))"
    r"(?P<value>(?:(?:Bearer|Basic)\s+)?"
    r"(?:'[^'\r\n]*'|\"[^\"\r\n]*\"|[^\s'\",;&()\[\]{}]+))",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE)
# A secret on the AMI wire may hold blanks: it ends with its line, whether raw or as repr shows it.
_AMI_SECRET: Final = re.compile(r"(?:\b|(?<=\\n))Secret: [^\r\n\\]+")
_API_KEY: Final = re.compile(r"(?<![0-9A-Za-z])dk_\w+")
_ACCESS_TOKEN: Final = re.compile(r"(?<![0-9A-Za-z])dt_[\w-]{16,}")
_SIGNING_SECRET: Final = re.compile(r"(?<![0-9A-Za-z])whsec_[A-Za-z0-9+/=]+")
_URL: Final = re.compile(
    r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.\-]{0,30}://)(?P<user>[^\s/?#'\"<>]*@)?"
    r"(?P<host>[^\s/?#'\"<>]*)(?P<path>/[^\s?#'\"<>]*)?(?P<query>\?[^\s#'\"<>]*)?"
    r"(?P<fragment>#[^\s'\"<>]*)?"
)
_LOOSE_QUERY: Final = re.compile(r"(?<=[\w/%~.\-])\?[^\s'\"<>]+")
# An element of a path that is a token in itself, as of chat services' hooks.
_TOKEN: Final = re.compile(r"(?<=/)(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_\-.~%=]{16,}(?=/|\Z)")

_UUID: Final = (
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"(?:-[0-9]{1,3})?(?![0-9A-Za-z])"
)
_DATE: Final = (
    r"(?<![0-9])(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2}(?![0-9]))?)?"
    r"(?![0-9-])"
)
# Epoch seconds with a fraction, which is also what Asterisk's own channel ids look like.
_EPOCH: Final = r"(?<![0-9.+])1[0-9]{9}\.[0-9]{1,9}(?![0-9.])"
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"(?<![0-9.]){_OCTET}(?:\.{_OCTET}){{3}}(?::[0-9]{{1,5}})?(?![0-9.])"
_FRACTION: Final = r"(?<![0-9.])[0-9]{1,2}\.[0-9]{1,9}(?![0-9.])"
_HEX: Final = r"(?<![0-9A-Za-z])(?=[0-9]*[a-f])[0-9a-f]{32,64}(?![0-9A-Za-z])"
# The counter at the end of a channel's name: PJSIP/carrier-0000001c. Behind a digit it may as well
# be a number's part.
_COUNTER: Final = r"(?<=[A-Za-z])-0000[0-9a-f]{4}(?![0-9A-Za-z])"
_KEPT: Final = "|".join((_UUID, _DATE, _EPOCH, _IPV4, _FRACTION, _HEX, _COUNTER))
# What people write between digits: signs, blanks (also no-break and thin ones), dashes.
_BETWEEN: Final = r"[+*#().\- \t\u00a0\u2007\u2009-\u2015\u202f]"
_NUMBER: Final = re.compile(rf"(?P<kept>{_KEPT})|\d(?:(?:{_BETWEEN}{{1,3}}(?!{_KEPT}))?\d){{6,}}")
_SEVEN: Final = re.compile(r"(?:\d\D{0,3}){7}")

_PLAIN_FIELDS: Final = frozenset({"timestamp", "level", "logger"})
_COUNTING_FIELDS: Final = frozenset(
    {"id", "count", "port", "pid", "delivery", "queue", "item", "batch", "attempt", "line"}
)
_SMALL: Final = 10**6


class Redactor:
    """Knows the secrets of this process. Cheap where nothing is to be masked."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None

    def learn(self, *secrets: str | None) -> None:
        """Mask these from now on, also as a URL or a quoted text shows them. None, and what is
        under `SHORTEST_SECRET` characters, is passed over."""
        for secret in secrets:
            if secret is not None and len(secret) >= SHORTEST_SECRET:
                self._secrets |= {secret, quote(secret, safe=""), quote_plus(secret)}
                self._secrets |= {repr(secret)[1:-1], ascii(secret)[1:-1]}
        if self._secrets:
            # Longest first: one secret may be the beginning of another.
            ordered = sorted(self._secrets, key=len, reverse=True)
            self._known = re.compile("|".join(re.escape(secret) for secret in ordered))

    def hide_secrets(self, text: str) -> str:
        """`text` without secrets. Numbers stay: for those who gave them."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if "dk_" in text:
            text = _API_KEY.sub(f"dk_{MASK}", text)
        if "dt_" in text:
            text = _ACCESS_TOKEN.sub(f"dt_{MASK}", text)
        if "whsec_" in text:
            text = _SIGNING_SECRET.sub(f"whsec_{MASK}", text)
        if ":" in text or "=" in text or "'" in text:
            text = _AMI_SECRET.sub(f"Secret: {MASK}", text)
            text = _NAMED.sub(rf"\g<name>{MASK}", text)
        text = _BEARER.sub(rf"\1 {MASK}", text)
        if "://" in text:
            text = _URL.sub(_mask_url, text)
        if "?" in text:
            text = _LOOSE_QUERY.sub(_mask_query, text)
        return text

    def redact(self, text: str) -> str:
        """`text` without secrets and full phone numbers."""
        return mask_numbers(self.hide_secrets(text))

    def redact_field(self, name: str, value: object, depth: int = 0) -> object:
        """The value of a log record's field. Whole numbers stay where `name` says that they count
        or identify a row of ours; fractions stay. What is no plain value becomes text."""
        if value is None or isinstance(value, bool | float) or name in _PLAIN_FIELDS:
            return value
        if _SECRET_FIELD.fullmatch(name):
            return MASK
        if isinstance(value, int):
            return self._redact_int(name, value)
        if isinstance(value, str):
            return self.redact(str(value))
        if isinstance(value, Mapping) and depth < DEEPEST:
            return {
                self.redact(str(key)): self.redact_field(str(key), part, depth + 1)
                for key, part in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            return [self.redact_field(name, part, depth + 1) for part in value]
        return self.redact(str(value) if isinstance(value, BaseException) else repr(value))

    def _redact_int(self, name: str, value: int) -> object:
        counts = name in _COUNTING_FIELDS or name.endswith(("_id", "_count"))
        return value if counts or abs(value) < _SMALL else mask_numbers(str(value))


def find_url_secrets(url: str) -> tuple[str, ...]:
    """What of a URL proves who calls it: its password, the values of its query, its fragment, and
    path elements that look like tokens; as written and decoded."""
    try:
        parts = urlsplit(url)
        password = parts.password or ""
    except ValueError:
        return ()
    raw = [pair.partition("=")[2] for pair in parts.query.split("&")]
    found = [parts.query, parts.fragment, password, unquote(password), *raw]
    found += [value for _, value in parse_qsl(parts.query)]
    found += _TOKEN.findall(parts.path)
    return tuple(value for value in found if len(value) >= SHORTEST_IN_URL)


def mask_numbers(text: str) -> str:
    """`text` with every phone number as `***` and its last four digits."""
    if _SEVEN.search(text) is None:
        return text
    return _NUMBER.sub(_mask_number, text)


def _mask_number(found: re.Match[str]) -> str:
    if found["kept"] is not None:
        return found[0]
    digits = [char for char in found[0] if char.isdecimal()]
    return MASK + "".join(digits[-SHOWN_DIGITS:])


def _mask_query(found: re.Match[str]) -> str:
    return f"?{MASK}" if "=" in found[0] else found[0]


def _mask_url(found: re.Match[str]) -> str:
    path = found["path"] or ""
    if found["scheme"].lower() in ("http://", "https://"):
        path = _TOKEN.sub(MASK, path)
    return "".join(
        (
            found["scheme"],
            f"{MASK}@" if found["user"] else "",
            found["host"],
            path,
            f"?{MASK}" if found["query"] else "",
            f"#{MASK}" if found["fragment"] else "",
        )
    )
