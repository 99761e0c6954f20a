"""What a trace tells of how a call was ordered: from the Originate that was written, or else from
what its OriginateResponse repeats of it."""

from dataclasses import dataclass
from typing import Final

from ami import Message, OriginateAnswered
from dialer.errors import Refused
from dialer.policy import parse_dial_string


@dataclass(frozen=True, slots=True)
class Origin:
    """The order of one call, as far as the trace holds it. `dial_string` is the Channel header."""

    action_id: str | None
    channel_id: str | None
    dial_string: str
    caller_id: str | None
    accountcode: str | None
    application: str | None
    data: str | None
    written: bool = False  # the action itself was seen

    @property
    def number(self) -> str:
        """The number dialed, as production finds it; in other forms what stands in its place."""
        try:
            return parse_dial_string(self.dial_string, "Channel").number
        except Refused:
            return self.dial_string.partition("/")[2].partition("@")[0].partition("/")[0]

    @property
    def channel_prefix(self) -> str:
        """How the names of the channels begin that Asterisk makes for it."""
        tech, _, rest = self.dial_string.partition("/")
        if tech.lower() == "local":
            return f"{tech}/{rest.split('/')[0]}".lower()
        number, at, endpoint = rest.partition("@")
        name = endpoint if at else number.split("/")[0]
        return f"{tech}/{name.split('/')[0]}-".lower()


def read_originate(written: tuple[tuple[str, str], ...]) -> Origin:
    """The order in an Originate action, of its headers as they were written."""
    headers = {name.lower(): value for name, value in reversed(written)}
    variables = [value for name, value in written if name.lower() == "variable"]
    application = headers.get("application") or None
    data = headers.get("data", "")  # none is written where it is empty
    set_by = dict(assigned for line in variables for assigned in _split_assignments(line))
    if application is None and _APPLICATION in set_by:  # the recording dialplan runs it
        application, data = set_by[_APPLICATION], set_by.get(_DATA, "")
    return Origin(
        action_id=headers.get("actionid") or None,
        channel_id=headers.get("channelid") or None,
        dial_string=headers.get("channel", ""),
        caller_id=headers.get("callerid") or None,
        accountcode=headers.get("account") or None,
        application=application,
        data=data if application is not None else None,
        written=True,
    )


def recall_originate(message: Message, event: OriginateAnswered) -> Origin:
    """What an OriginateResponse repeats of its order; one of a success names the channel in the
    dial string's place."""
    name, number = message.get("CallerIDName"), message.get("CallerIDNum")
    known = number not in _NOTHING
    named = f'"{name}" <{number}>' if name not in _NOTHING else number
    application = message.get("Application") or None
    return Origin(
        action_id=event.action_id,
        channel_id=event.uniqueid,
        dial_string="" if event.success else event.channel,
        caller_id=named if known else None,
        accountcode=None,
        application=application,
        data=message.get("Data") if application else None,
    )


_NOTHING: Final = ("", "<unknown>", "<null>")
_APPLICATION: Final = "DIALER_APPLICATION"
_DATA: Final = "DIALER_DATA"


def _split_assignments(line: str) -> list[tuple[str, str]]:
    r"""`A=1,B=x\,y` → its names and values, without the backslashes that keep commas."""
    parts, text, escaped = [], "", False
    for char in line:
        if escaped or char not in ",\\":
            text, escaped = text + char, False
        elif char == "\\":
            escaped = True
        else:
            parts.append(text)
            text = ""
    assigned = (part.partition("=") for part in [*parts, text])
    return [(name.strip(), value) for name, equals, value in assigned if equals]
