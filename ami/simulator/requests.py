"""What an Originate asks for: its headers as values, and Asterisk's own refusals of it."""

import re
from dataclasses import dataclass, field
from typing import Final

from ami.simulator.channels import UNKNOWN

# The values of each header by its name in lower case, in the order received.
Headers = dict[str, list[str]]

MAX_ID: Final = 149
# main/manager.c: applications and data that a user without write `system` may not give.
_APPLICATIONS: Final = (
    "agi", "dbdeltree", "exec", "externalivr", "mixmonitor", "originate", "reload", "system",
)  # fmt: skip
_DATA: Final = ("CURL", "DB", "EVAL", "FILE", "ODBC", "REALTIME", "SHELL")
_CALLER_ID: Final = re.compile(r'^\s*"?(?P<name>[^"<]*?)"?\s*<(?P<number>[^>]*)>\s*$')


@dataclass(frozen=True, slots=True)
class Originate:
    """An Originate. `timeout` in seconds, None: for ever. `channel_id` is '' where Asterisk is to
    make one; `application` is '' for the Context/Exten path."""

    action_id: str
    channel: str
    channel_id: str
    application: str
    data: str
    context: str
    exten: str
    timeout: float | None
    number: str = UNKNOWN
    caller_name: str = UNKNOWN
    account: str = ""
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a dial string names. `endpoint` is the context of a Local channel."""

    tech: str
    number: str
    endpoint: str


def first_value(headers: Headers, name: str) -> str:
    """The first value of a header, in any case, or ''."""
    values = headers.get(name.lower())
    return values[0] if values else ""


def refuse_originate(headers: Headers, recording_contexts: frozenset[str]) -> str | None:
    """Asterisk's text for an Originate that it refuses, in the order of its checks
    (main/manager.c action_originate), or None."""
    if any(len(first_value(headers, name)) > MAX_ID for name in ("ChannelId", "OtherChannelId")):
        return f"Uniqueid length exceeds maximum of {MAX_ID}\n"
    channel = first_value(headers, "Channel")
    if not channel:
        return "Channel not specified"
    priority = first_value(headers, "Priority")
    if priority and not re.fullmatch(r"\d+|[A-Za-z_]\w*", priority):
        return "Invalid priority"
    timeout = first_value(headers, "Timeout")
    if timeout and not re.match(r"[+-]?\d", timeout):
        return "Invalid timeout"
    if "/" not in channel:
        return "Invalid channel"
    application, data = first_value(headers, "Application"), first_value(headers, "Data")
    if any(word in application.lower() for word in _APPLICATIONS) or any(
        word in data for word in _DATA
    ):
        return "Originate Access Forbidden: app or data blacklisted"
    context = first_value(headers, "Context")
    if not application and priority and context not in recording_contexts:
        return "Extension does not exist."
    return None


def read_originate(headers: Headers) -> Originate:
    """The Originate of headers that `refuse_originate` let pass."""
    number, name = read_caller_id(first_value(headers, "CallerID"))
    match = re.match(r"[+-]?\d+", first_value(headers, "Timeout"))
    milliseconds = int(match.group()) if match else 30_000
    return Originate(
        action_id=first_value(headers, "ActionID"),
        channel=first_value(headers, "Channel"),
        channel_id=first_value(headers, "ChannelId"),
        application=first_value(headers, "Application"),
        data=first_value(headers, "Data"),
        context=first_value(headers, "Context"),
        exten=first_value(headers, "Exten"),
        timeout=milliseconds / 1000 if milliseconds > 0 else None,
        number=number,
        caller_name=name,
        account=first_value(headers, "Account"),
        variables=read_variables(headers),
    )


def read_caller_id(value: str) -> tuple[str, str]:
    """Number and name of a CallerID, each `<unknown>` where missing. Text without a digit is a
    name alone."""
    match = _CALLER_ID.match(value)
    if match is not None:
        return re.sub(r"[ ().-]", "", match["number"]) or UNKNOWN, match["name"].strip() or UNKNOWN
    plain = value.strip().strip('"')
    if any(letter.isdigit() for letter in plain):
        return re.sub(r"[ ().-]", "", plain), UNKNOWN
    return UNKNOWN, plain or UNKNOWN


def read_variables(headers: Headers) -> dict[str, str]:
    """The variables of all Variable headers: split at commas that no backslash escapes, and of
    two of one name the first counts."""
    variables: dict[str, str] = {}
    for value in headers.get("variable", []):
        for item in re.split(r"(?<!\\),", value):
            name, equals, text = item.partition("=")
            if equals:
                variables.setdefault(name.strip(), re.sub(r"\\(.)", r"\1", text))
    return variables


def read_target(dial_string: str) -> Target | None:
    """Whom `TECH/number@endpoint`, `TECH/trunk/number`, `TECH/device` or `Local/exten@context[/n]`
    names; None for what is none of these."""
    tech, slash, rest = dial_string.partition("/")
    if not slash or not tech or not rest:
        return None
    if tech == "Local":
        exten, _, context = rest.partition("@")
        return Target(tech, exten, context.partition("/")[0])
    number, at, endpoint = rest.partition("@")
    if at:
        return Target(tech, number, endpoint)
    endpoint, _, number = rest.partition("/")
    return Target(tech, number, endpoint)
