"""Actions as values, and the single door through which one becomes bytes.

`serialize` either gives bytes in which Asterisk reads exactly the headers of the action, or raises
ActionInvalid: nothing is repaired and nothing is cut. The limits are those of main/manager.c and
include/asterisk/manager.h (Asterisk 20–23), where most of them lose or cut a value silently.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from ami.errors import ActionInvalid
from ami.reserved import find_evaluated, is_reserved

MAX_LINE: Final = 1022  # bytes without CR LF; manager.c reads into inbuf[1025]
MAX_HEADERS: Final = 128  # AST_MAX_MANHEADERS
MAX_CHANNEL: Final = 200  # bytes; Asterisk cuts at 255 silently
MAX_CALLER_ID: Final = 80  # bytes; Asterisk cuts at 255 silently
MAX_ID: Final = 149  # AST_MAX_PUBLIC_UNIQUEID; "Uniqueid length exceeds maximum of 149"
MAX_PLACE: Final = 79  # AST_MAX_EXTENSION, _CONTEXT and _ACCOUNT_CODE are 80 with the final NUL
MAX_TIMEOUT_MS: Final = 120_000
MAX_PRIORITY: Final = 2**31 - 1  # sscanf "%30d": it would take another number for a larger one

# C0 and DEL, C1 with NEL, LS and PS, lone surrogates (they have no UTF-8).
_UNSENDABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ID: Final = re.compile(r"[A-Za-z0-9._:;-]+\Z")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_APPLICATION: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_CODECS: Final = re.compile(r"[A-Za-z0-9_]+(,[A-Za-z0-9_]+)*\Z")

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Login:
    """`events`: the event mask, "on" or class names ("call,system")."""

    action_id: str
    username: str
    secret: str = field(repr=False)
    events: str = "on"


@dataclass(frozen=True, slots=True)
class Logoff:
    action_id: str


@dataclass(frozen=True, slots=True)
class Ping:
    action_id: str


@dataclass(frozen=True, slots=True)
class CoreShowChannels:
    action_id: str


@dataclass(frozen=True, slots=True)
class CoreStatus:
    action_id: str


@dataclass(frozen=True, slots=True)
class CoreSettings:
    action_id: str


@dataclass(frozen=True, slots=True)
class ListCommands:
    """Asks which actions the user may run: Asterisk lists those alone."""

    action_id: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """`channel_id`: the ChannelId that the call was originated with. `cause`: Q.850, 0..127."""

    action_id: str
    channel_id: str
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class Originate:
    """One call, always asynchronous: a synchronous one freezes the whole session.

    `channel`: TECH/resource. Either `application` with `data`, or `context`, `exten` and
    `priority`. `timeout_ms`: 1..120000. `variables`: complete assignments `NAME=value`, one header
    each, written by `assign` where the value is not ours. `functions`: the exact names, other than
    plain ones, that may be assigned to (`TIMEOUT(absolute)`): a name that ends in `)` is a
    dialplan function, and some write files; on others (`MONITOR_EXEC`) Asterisk acts by itself.
    `codecs`: comma list.
    """

    action_id: str
    channel_id: str
    channel: str
    timeout_ms: int
    application: str | None = None
    data: str = ""
    context: str | None = None
    exten: str | None = None
    priority: int | None = None
    caller_id: str = ""
    account: str = ""
    variables: tuple[str, ...] = ()
    functions: frozenset[str] = frozenset()
    codecs: str = ""
    other_channel_id: str = ""


Action = (
    Login
    | Logoff
    | Ping
    | CoreShowChannels
    | CoreStatus
    | CoreSettings
    | ListCommands
    | Hangup
    | Originate
)


def assign(name: str, value: str) -> str:
    """The assignment that sets variable `name` to exactly `value`.

    Asterisk splits at commas and eats quotes and backslashes (main/app.c,
    ast_app_separate_args): those are escaped.
    """
    return f"{name}={_EATEN.sub(_escape, value)}"


_EATEN: Final = re.compile(r'[\\",]')


def _escape(match: re.Match[str]) -> str:
    return "\\" + match.group()


def serialize(action: Action) -> bytes:
    """The action's bytes, with its empty line. Raises ActionInvalid (header and rule)."""
    headers = _headers(action)
    if len(headers) > MAX_HEADERS:
        raise ActionInvalid("Variable", f"more than {MAX_HEADERS} headers in one action")
    lines = [f"{header}: {value}" for header, value in headers]
    # One look at all of it; the header at fault is found only when there is one.
    if _UNSENDABLE.search("".join(lines)) is not None:
        raise _control_character(headers)
    for (header, value), line in zip(headers, lines, strict=True):
        if value.startswith(" "):
            raise ActionInvalid(header, "begins with a blank, which Asterisk drops")
        # A character is at most 4 bytes: most lines need no encoding to be known short enough.
        if len(line) > MAX_LINE // 4 and len(line.encode()) > MAX_LINE:
            raise ActionInvalid(header, f"a line of more than {MAX_LINE} bytes")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _control_character(headers: Headers) -> ActionInvalid:
    header = next(header for header, value in headers if _UNSENDABLE.search(value))
    return ActionInvalid(header, "a control character or a lone surrogate")


def _headers(action: Action) -> Headers:
    """The headers in their fixed order, each checked by its own rule; empty ones left out."""
    check_id("ActionID", action.action_id)
    head = [("Action", type(action).__name__), ("ActionID", action.action_id)]
    if isinstance(action, Originate):
        return head + _originate_headers(action)
    if isinstance(action, Hangup):
        return head + _hangup_headers(action)
    if isinstance(action, Login):
        return head + _login_headers(action)
    return head


def _login_headers(login: Login) -> Headers:
    for header, value in (("Username", login.username), ("Secret", login.secret)):
        if not value:
            raise ActionInvalid(header, "is empty")
    return [
        ("Username", login.username),
        ("Secret", login.secret),
        ("Events", login.events or "on"),
    ]


def _hangup_headers(hangup: Hangup) -> Headers:
    check_id("Channel", hangup.channel_id)
    headers = [("Channel", hangup.channel_id)]
    if hangup.cause is not None:
        if not 0 <= hangup.cause <= 127:
            raise ActionInvalid("Cause", "is not 0 to 127")
        headers.append(("Cause", str(hangup.cause)))
    return headers


def _originate_headers(originate: Originate) -> Headers:
    _check_channel(originate.channel)
    check_id("ChannelId", originate.channel_id)
    if originate.other_channel_id:
        check_id("OtherChannelId", originate.other_channel_id)
    if not 1 <= originate.timeout_ms <= MAX_TIMEOUT_MS:
        raise ActionInvalid("Timeout", f"is not 1 to {MAX_TIMEOUT_MS} ms")
    _check_size("CallerID", originate.caller_id, MAX_CALLER_ID)
    _check_size("Account", originate.account, MAX_PLACE)
    if originate.codecs and _CODECS.match(originate.codecs) is None:
        raise ActionInvalid("Codecs", "is not a comma list of codec names")
    headers = [
        ("Channel", originate.channel),
        ("ChannelId", originate.channel_id),
        ("OtherChannelId", originate.other_channel_id),
        *_target_headers(originate),
        ("Timeout", str(originate.timeout_ms)),
        ("CallerID", originate.caller_id),
        ("Account", originate.account),
        ("Codecs", originate.codecs),
        ("Async", "true"),
    ]
    headers = [header for header in headers if header[1]]
    for variable in originate.variables:
        _check_variable(variable, originate.functions)
        headers.append(("Variable", variable))
    for header, value in headers:
        if (mark := find_evaluated(value)) is not None:
            raise ActionInvalid(header, f"'{mark}', which Asterisk may evaluate")
    return headers


def _target_headers(originate: Originate) -> Headers:
    """What the answered call runs. With neither, an async Originate would dial and then run
    default,s,1; with both, Asterisk takes the application."""
    place = (originate.context, originate.exten, originate.priority)
    if originate.application is not None:
        if place != (None, None, None):
            raise ActionInvalid("Application", "stands beside Context, Exten or Priority")
        if _APPLICATION.match(originate.application) is None:
            raise ActionInvalid("Application", "is not the name of an application")
        return [("Application", originate.application), ("Data", originate.data)]
    if not originate.context or not originate.exten or originate.priority is None:
        raise ActionInvalid("Application", "neither it nor all of Context, Exten and Priority")
    if originate.data:
        raise ActionInvalid("Data", "stands without an Application")
    if not 1 <= originate.priority <= MAX_PRIORITY:
        raise ActionInvalid("Priority", f"is not 1 to {MAX_PRIORITY}")
    _check_size("Context", originate.context, MAX_PLACE)
    _check_size("Exten", originate.exten, MAX_PLACE)
    return [
        ("Context", originate.context),
        ("Exten", originate.exten),
        ("Priority", str(originate.priority)),
    ]


def check_id(header: str, value: str) -> None:
    """Raises ActionInvalid unless `value` can be an ActionID, a ChannelId or name a channel by it:
    no `/` (a name, and as the first character a regular expression), blank or comma."""
    if not value:
        raise ActionInvalid(header, "is empty")
    if len(value) > MAX_ID:
        raise ActionInvalid(header, f"more than {MAX_ID} bytes")
    if _ID.match(value) is None:
        raise ActionInvalid(header, "a character other than letters, digits and . _ : ; -")


def _check_channel(channel: str) -> None:
    technology, slash, resource = channel.partition("/")
    if not slash or not resource:
        raise ActionInvalid("Channel", "is not TECH/resource")
    if not technology:
        raise ActionInvalid("Channel", "begins with /, which Asterisk takes for a pattern")
    _check_size("Channel", channel, MAX_CHANNEL)


def _check_size(header: str, value: str, limit: int) -> None:
    # Surrogates are refused later, with a rule of their own; here they only must not raise.
    if len(value) * 4 > limit and len(value.encode("utf-8", "surrogatepass")) > limit:
        raise ActionInvalid(header, f"more than {limit} bytes")


def _check_variable(assignment: str, functions: frozenset[str]) -> None:
    name, equals, _ = assignment.partition("=")
    if not equals:
        raise ActionInvalid("Variable", "is not NAME=value")
    if name in functions:
        if '"' in name or "\\" in name:
            raise ActionInvalid(
                "Variable", "its name has a quote or backslash, which Asterisk eats"
            )
    else:
        if _NAME.match(name) is None:
            raise ActionInvalid("Variable", "its name is neither plain nor allowed by name")
        if is_reserved(name):
            raise ActionInvalid("Variable", f"Asterisk itself acts on '{name}'")
    if ("," in assignment or "\\" in assignment) and (fault := _find_split(assignment)):
        raise ActionInvalid("Variable", fault)


def _find_split(text: str) -> str | None:
    """Why Asterisk would not see one assignment, or None: main/app.c, ast_app_separate_args, where
    a comma does not count inside () or [], inside quotes, or after a backslash."""
    parens = brackets = 0
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "(":
            parens += 1
        elif char == ")":
            parens = max(parens - 1, 0)
        elif char == "[":
            brackets += 1
        elif char == "]":
            brackets = max(brackets - 1, 0)
        elif char == '"':
            quoted = not quoted
        elif char == "," and not (parens or brackets or quoted):
            return "an unescaped comma, where Asterisk would split it"
    return "ends in a backslash that escapes nothing" if escaped else None
