"""The fields of request bodies as JSON Schema: what the OpenAPI description promises to take.

Each schema says what the rules of docs/walls.md say, for the built-in policy: what fits it is
taken, what does not is refused (tests/unit/dialer/test_fields.py holds them together). Where a
schema cannot count as a rule does, it is the narrower: bytes are counted as characters of one, at
most two, three and four bytes. Patterns are written for ECMA 262, Python and Rust alike.
"""

from collections.abc import Iterable
from typing import Any, Final

from ami import Disposition
from dialer.dialects import CdrMapping, Shape
from dialer.policy import DEFAULT_POLICY, DEFAULT_PROFILE, FORMATS, MAX_CALLER_ID, MAX_CHANNEL
from dialer.states import CallbackEvent, ItemEnd, ItemStatus, QueueStatus

Schema = dict[str, Any]

MAX_RETRY_GAP: Final = 30 * 86400
"""Seconds between two attempts."""

NUMERAL: Final = "-?0*[1-9][0-9]{0,17}|0+"
"""A whole number as text."""
NUMBER: Final = r"[A-Za-z0-9+*#_.\-]"
"""A character of a number or an endpoint in a dial string."""
MOMENT: Final = (
    "(?:[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    "|(?:0[13578]|1[02])-31)"
    "|(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29)"
    "[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)
"""Date and time of ISO 8601 (RFC 3339, section 5.6, with seconds and zone left away at will)."""

_CONTROL: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_ASCII: Final = r"[\u0020-\u007e]"
_TWO: Final = r"[\u0020-\u007e\u00a0-\u07ff]"
_THREE: Final = r"[\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\uffff]"
_FOUR: Final = rf"[^{_CONTROL}]"
_UNEVALUATED: Final = r'(?!.*(?:\$[\\"]*[{\[]|\^[\\"]*\{))'
_WORDS: Final = "(?!.*(?:CURL|DB|EVAL|FILE|ODBC|REALTIME|SHELL))"
_SHORT: Final = r"(?!(?=.{253}).*[^\u0020-\u007e])"  # beyond ASCII, for a line of 1022 bytes
_FLAGS: Final = ("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n")


def in_any_case(words: Iterable[str]) -> str:
    """A pattern of these words in any case."""
    return "|".join(
        "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word) for word in words
    )


def text(pattern: str, **more: Any) -> Schema:  # noqa: ANN401 — keywords of JSON Schema
    """A string that is all of `pattern`."""
    return {"type": "string", "pattern": f"^(?:{pattern})$", **more}


def one_of(*schemas: Schema, **more: Any) -> Schema:  # noqa: ANN401 — keywords of JSON Schema
    """Any of these."""
    return {"anyOf": list(schemas), **more}


def within(limit: int, pattern: str) -> str:
    """A pattern that matches `limit` characters at most. Where a text has a structure, generators
    of texts find none of a given length; this they take as it comes."""
    return f"(?!.{{{limit + 1}}})(?:{pattern})"


def or_null(schema: Schema, **more: Any) -> Schema:  # noqa: ANN401 — keywords of JSON Schema
    """This or null, which is as good as absent."""
    choices = schema.get("anyOf", [schema])
    return {"anyOf": [*choices, {"type": "null"}], **more}


def in_bytes(limit: int, *, least: int = 0, start: str = "") -> str:
    """A pattern of texts without control characters of at most `limit` bytes in UTF-8, and at
    least so many characters."""
    kinds = zip((_ASCII, _TWO, _THREE, _FOUR), (1, 2, 3, 4), strict=True)
    tiers = "|".join(f"{kind}{{{least},{limit // size}}}" for kind, size in kinds)
    return f"{start}(?:{tiers})"


def whole(low: int, high: int, numeral: str = NUMERAL, **more: Any) -> Schema:  # noqa: ANN401
    """A whole number from `low` to `high`, or its digits as text."""
    return one_of({"type": "integer", "minimum": low, "maximum": high}, text(numeral), **more)


def words(allowed: Iterable[str], **more: Any) -> Schema:  # noqa: ANN401
    """One of these words in any case, or none."""
    listed = list(allowed)
    return text(in_any_case([*listed, ""]), examples=listed, **more)


PLAIN: Final = text(rf"[^{_CONTROL}]*", maxLength=255)
NAME: Final = text(rf"[^{_CONTROL}]+", minLength=1, maxLength=255)
FLAG: Final = one_of(
    {"type": "boolean"},
    {"type": "integer", "enum": [0, 1]},
    text(f"[01]|{in_any_case(_FLAGS)}", examples=["true", "false"]),
)
COUNT: Final = whole(0, 1000, "0*(?:[0-9]{1,3}|1000)")
SECONDS: Final = whole(1, 120, "0*(?:[1-9][0-9]?|1[01][0-9]|120)", description="seconds")
MILLISECONDS: Final = whole(
    1000, 120_000, "0*(?:[1-9][0-9]{3,4}|1[01][0-9]{4}|120000)", description="ms"
)
WHOLE: Final = whole(-(2**63) + 1, 2**63 - 1)
CONTACT: Final = one_of(
    {"type": "integer", "minimum": 0, "maximum": 10**31 - 1},
    text(r"(?:\+?[0-9]{1,31})?"),
    description="digits; empty: none; echoed as an integer, or as text where that would lose a zero"
    " or plus",
)
DEADLINE: Final = text(
    MOMENT, description="without a zone: the client's", examples=["2024-12-31T23:59:59Z"]
)


def _caller_id(least: int) -> Schema:
    return text(
        in_bytes(MAX_CALLER_ID, least=least, start=f"(?! ){_UNEVALUATED}"),
        description=f"{MAX_CALLER_ID} bytes at most; no blank at its beginning",
        examples=["Your Company <1001>"],
    )


CALLER_ID: Final = _caller_id(0)
ACCOUNT: Final = r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,78}"
"""An accountcode. It is sent as Account, of which Asterisk keeps 79 bytes, and stands in URLs and
file names."""
ACCOUNTCODE: Final = text(ACCOUNT, examples=["client_xyz"])
CLIENT_STATUS: Final = text(
    rf"[^{_CONTROL}]+",
    minLength=1,
    maxLength=32,
    description="with any other than active its key is refused and its calls are held",
    examples=["active"],
)
CHANNELS: Final = whole(0, 100_000, "0*(?:[0-9]{1,5}|100000)", description="calls at once")
RATE_LIMIT: Final = whole(
    1, 1_000_000, "0*(?:[1-9][0-9]{0,5}|1000000)", description="HTTP requests a minute"
)
RETRY_GAP: Final = whole(
    0,
    MAX_RETRY_GAP,
    "0*(?:[0-9]{1,6}|1[0-9]{6}|2[0-4][0-9]{5}|25[0-8][0-9]{4}|259[01][0-9]{3}|2592000)",
    description="seconds",
)
CALLBACK_URL: Final = text(
    r"(?:https?://(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,8}"
    r"[A-Za-z](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?(?::[1-9][0-9]{0,3})?"
    r"(?:/[A-Za-z0-9_~!$&'()*+,;=:@%./?\-]{0,500})?)?",
    description="http or https; a name or a public address, without user name",
    examples=["https://client.com/callback"],
)
CALLBACK_SHAPE: Final = {
    "type": "string",
    "enum": [shape.value for shape in Shape],
    "description": "what its callbacks look like",
    "examples": ["native"],
}
CDR_MAPPING: Final = {
    "type": "string",
    "enum": [mapping.value for mapping in CdrMapping],
    "description": "of /v2/cdr, where a request names none",
    "examples": ["default"],
}
CALLBACK_EVENTS: Final = {
    "type": "array",
    "items": {"type": "string", "enum": [event.value for event in CallbackEvent]},
    "maxItems": 16,
    "description": "callbacks about calls that go on, beside those of their ends",
    "examples": [["call_started", "call_answered"]],
}
DIGITS: Final = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
DID: Final = one_of(_caller_id(1), DIGITS)
CALLER: Final = one_of(CALLER_ID, DIGITS)
WORD: Final = one_of(PLAIN, DIGITS)
PHONE: Final = one_of({**PLAIN, "maxLength": 80}, DIGITS)


def part(limit: int, *, least: int = 0) -> Schema:
    """A part of a dial string."""
    return text(f"{NUMBER}{{{least},{limit}}}")


def number(limit: int, *, least: int = 0) -> Schema:
    """A part of a dial string that may come as an integer."""
    return one_of(part(limit, least=least), DIGITS)


SERVER: Final = {**NAME, "description": "the code of a server", "examples": ["server1"]}
STATES: Final = {
    "call_status": words(ItemStatus),
    "queue_status": words(QueueStatus),
    "queue_type": words(["outbound"]),
    "disposition": words([*Disposition, *ItemEnd]),
}
RECORDING_FORMAT: Final = words(FORMATS, default="wav")
RECORDING_PATH: Final = text(
    within(255, r"(?:(?!(?:.*/)?\.{1,2}(?:/|$))[A-Za-z0-9_.\-]+(?:/[A-Za-z0-9_.\-]+)*/?)?"),
    description="relative, inside your folder, without . and ..",
    examples=["campaign_2024/monday"],
)
PROFILE: Final[Schema] = {
    "type": "string",
    "enum": ["", DEFAULT_PROFILE],
    "description": "a recording profile; the operator may give you more",
}
GOSUB: Final[Schema] = {
    "type": "string",
    "enum": [""],
    "description": "refused, unless the operator gave you a context",
}
CODECS: Final = text(within(255, "(?:[A-Za-z0-9_]+(?:,[A-Za-z0-9_]+)*)?"), examples=["ulaw,alaw"])
OTHER_CHANNEL_ID: Final = text(within(255, rf"{_UNEVALUATED}[^&|`;{_CONTROL}]*"))

_TECHNOLOGY: Final = f"(?:{in_any_case(sorted(DEFAULT_POLICY.technologies))})"
_TARGET: Final = f"{_TECHNOLOGY}/{NUMBER}+(?:[@/]{NUMBER}+)?"
CHANNEL: Final = text(
    within(MAX_CHANNEL, _TARGET),
    description="TECH/number@endpoint, TECH/trunk/number or TECH/device",
    examples=["PJSIP/1234567890@endpoint1"],
)
_TOLD: Final = rf'(?:[^,"()\[\]\\{_CONTROL}]|"[^"\\{_CONTROL}]*"|\\[^{_CONTROL}])*'
_ASSIGNED: Final = f"[A-Za-z_][A-Za-z0-9_]*={_TOLD}"
VARIABLE: Final = text(
    within(1011, f"(?:{_SHORT}{_UNEVALUATED}{_ASSIGNED}(?:,{_ASSIGNED}){{0,63}})?"),
    description="1011 bytes at most; no name that begins with DIALER_, or that Asterisk acts on"
    " (docs/walls.md); parentheses and brackets may stand in pairs",
    examples=["NAME=value,OTHER=value"],
)

_SOUND: Final = r"[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*(?:/[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*)*"
_DIALED: Final = r"\([A-Za-z0-9_\-]{1,80}\)"
_OPTION: Final = (
    rf"(?:[rm](?:{_DIALED})?|[RiIc]|L\([0-9]{{1,9}}(?::[0-9]{{0,9}}){{0,2}}\)|S\([0-9]{{1,6}}\))"
)
_FREE: Final = f"(?! ){_UNEVALUATED}"
DATA: Final = {
    "Dial": rf"(?:(?![^,]{{{MAX_CHANNEL + 1}}}){_TARGET})?"
    rf"(?:,(?:[1-9][0-9]{{0,4}}(?:\.[0-9]{{1,3}})?)?(?:,{_OPTION}*)?)?",
    "Playback": rf"(?:{_SOUND}(?:&{_SOUND})*(?:,(?:skip|noanswer)?)?)?",
    "Queue": r"(?:[A-Za-z0-9_.\-]+"
    rf"(?:,[CiInrR]*(?:,(?:,(?:{_SOUND})?(?:,[0-9]{{0,5}})?)?)?)?)?",
    "Wait": r"(?:[0-9]{1,6}(?:\.[0-9]{1,3})?)?",
    "ConfBridge": r"(?:[A-Za-z0-9_.\-]+(?:,[A-Za-z0-9_.\-]*){0,3})?",
    "MusicOnHold": r"(?:[A-Za-z0-9_.\-]+)?(?:,[0-9]{0,6})?",
    "Echo": rf"{_FREE}[^&|`;{_CONTROL}]*",
}
"""Application → what it may be told."""

_EXAMPLES: Final = {
    "Dial": "PJSIP/0987654321@endpoint2,30",
    "Playback": "welcome&menu",
    "Queue": "support,,,,60",
    "Wait": "5",
    "ConfBridge": "4711",
    "MusicOnHold": "default,30",
    "Echo": "",
}


def _data(application: str) -> Schema:
    pattern = within(1016, f"{_SHORT}{_WORDS}{DATA[application]}")
    return or_null(text(pattern, examples=[_EXAMPLES[application]]))


def _applications() -> list[Schema]:
    """What `Data` may be depends on the application: one choice for each."""
    return [
        {
            "title": application,
            "properties": {
                "Application": text(in_any_case([application]), examples=[application]),
                "Data": _data(application),
            },
            "required": ["Application"],
        }
        for application in DATA
    ]


_NO_APPLICATION: Final[Schema] = {
    "title": "your default application",
    "properties": {
        "Application": {"enum": ["", None]},
        "Data": _data("Echo"),
    },
}
WITH_APPLICATION: Final = _applications()
WITH_OR_WITHOUT: Final = [*WITH_APPLICATION, _NO_APPLICATION]
