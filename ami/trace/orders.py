"""Which channel an Originate without a ChannelId made: nothing says so but its OriginateResponse,
and where that is missing or says no ActionID, the order in which things were said. Pure."""

from typing import Final

from ami.trace.pieces import Piece
from ami.trace.records import Direction

_REMEMBERED: Final = 1000
_NOTHING: Final = frozenset({"", "<null>", "<unknown>", "(null)", "<none>", "none"})


def begin_channel_names(dial_string: str) -> str:
    """How the names of the channels begin that Asterisk makes for it, in lower case."""
    tech, _, rest = dial_string.partition("/")
    if tech.lower() == "local":
        return f"{tech}/{rest.split('/')[0]}".lower()
    number, at, endpoint = rest.partition("@")
    name = endpoint if at else number.split("/")[0]
    return f"{tech}/{name.split('/')[0]}-".lower()


class Orders:
    """Follows the pieces of a trace, once or time and again from its beginning."""

    def __init__(self) -> None:
        self._first: str | None = None
        self._waiting: dict[str, str] = {}  # ActionID → how its channel's name begins

    def take(self, piece: Piece) -> tuple[str, str] | None:
        """Take in what was said. Where it is the first channel of a call that one of the Originates
        may have ordered, the channel's id and the ActionID of the first such one."""
        message = piece.message
        if message is None:
            return None
        if piece.direction is Direction.SENT:
            if message.name.lower() == "originate" and not message.get("ChannelId"):
                self._wait(message.action_id, begin_channel_names(message.get("Channel")))
        elif message.name == "OriginateResponse":
            self._waiting.pop(message.action_id, None)
        elif message.name == "Newchannel" and self._waiting:
            uniqueid = message.get("Uniqueid")
            if message.get("Linkedid") in {uniqueid, *_NOTHING}:
                return self._adopt(uniqueid, message.get("Channel").lower())
        return None

    def _wait(self, action_id: str, begins: str) -> None:
        if not action_id:
            return
        if self._first in (None, action_id):  # the trace is read from its beginning
            self._first = action_id
            self._waiting.clear()
        self._waiting[action_id] = begins
        if len(self._waiting) > _REMEMBERED:
            del self._waiting[next(iter(self._waiting))]

    def _adopt(self, uniqueid: str, channel: str) -> tuple[str, str] | None:
        for action_id, begins in self._waiting.items():
            if channel.startswith(begins):
                del self._waiting[action_id]
                return uniqueid, action_id
        return None
