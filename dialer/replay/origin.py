"""What a trace tells of how a call was ordered: from the Originate that was written, or else from
what its OriginateResponse repeats of it."""

from dataclasses import dataclass
from typing import Final

from ami import Fields, Message, OriginateAnswered
from ami.trace import begin_channel_names
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
    def is_probe(self) -> bool:
        """Whether it is no call, but a look of `dialer servers check` at the server's rights."""
        return self.dial_string.startswith(_PROBE)

    @property
    def channel_prefix(self) -> str:
        """How the names of the channels begin that Asterisk makes for it."""
        return begin_channel_names(self.dial_string)


def read_originate(message: Message) -> Origin:
    """The order in an Originate action. Data that is empty is not written."""
    action_id, channel_id, dial_string, caller_id, account, runs, data, variable = _ORIGINATE.read(
        message
    )
    application: str | None = runs or None
    if application is None and variable:
        lines = message.all("Variable")
        set_by = dict(assigned for line in lines for assigned in _split_assignments(line))
        if _APPLICATION in set_by:  # the recording dialplan runs it
            application, data = set_by[_APPLICATION], set_by.get(_DATA, "")
    return Origin(
        action_id=action_id or None,
        channel_id=channel_id or None,
        dial_string=dial_string,
        caller_id=caller_id or None,
        accountcode=account or None,
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
_ORIGINATE: Final = Fields(
    "ActionID", "ChannelId", "Channel", "CallerID", "Account", "Application", "Data", "Variable"
)
_PROBE: Final = "DialerProbe/"  # a technology that no Asterisk has (ami.inspection)
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
