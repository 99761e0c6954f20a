"""Which pieces of a trace belong to some of its calls: found by reading it until nothing more is
learned. Pure.

A call is all channels that share a Linkedid with it, or were dialed by one of it, and what was
asked and answered about these.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from ami.trace.orders import Orders
from ami.trace.pieces import Piece
from ami.trace.records import Direction
from ami.wire import Kind

# Header names that hold a channel's id: Uniqueid, Linkedid, DestUniqueid, SwapUniqueid, Uniqueid1 …
_IDS: Final = re.compile(rb"(?im)^(\w*?)(?:uniqueid|linkedid)[12]?[ \t]*:[ \t]*([^\r\n]+)")
# Those that tell of one call; others name channels that may be anybody's (of a transfer, a bridge).
_OF_ONE_CALL: Final = frozenset({b"", b"dest"})
_BRIDGE: Final = b"bridge"
_STAMP: Final = re.compile(r"\d{1,11}(?:\.\d{1,9})?", re.ASCII)
_NOTHING: Final = frozenset({"", "<null>", "<unknown>", "(null)", "<none>", "none"})

# Calls that are told of again are told of while they live; a trace has any number of others.
_REMEMBERED: Final = 20_000


class Selection:
    """Calls, by the ids of any of their channels. `learn` from all pieces until it says that
    nothing was new; then `wants` says which belong."""

    def __init__(self, calls: Iterable[str]) -> None:
        self._ids = set(calls)
        self._actions: set[str] = set()
        self._bridges: set[str] = set()
        self._channels: set[str] = set()
        self._orders = Orders()

    def learn(self, piece: Piece) -> bool:
        """Take in what a piece tells of these calls; whether that was new."""
        before = self._size()
        ordered = self._orders.take(piece)
        if ordered is not None and ordered[0] in self._ids:
            self._actions.add(ordered[1])
        message = piece.message
        if message is None or not self.wants(piece):
            return False
        if piece.direction is Direction.SENT:
            self._ids |= {message.get("ChannelId")} - _NOTHING
            self._actions |= {message.action_id} - _NOTHING
        elif message.name == "OriginateResponse":
            self._actions |= {message.action_id} - _NOTHING
        elif message.kind is Kind.EVENT:
            self._take_event(piece)
        return self._size() > before

    def wants(self, piece: Piece) -> bool:
        """Whether a piece belongs to these calls, or to the session: greetings, notes, starts and
        stops of Asterisk."""
        message = piece.message
        if message is None:
            return True
        if piece.direction is Direction.SENT:
            return self._wants_action(message.get)
        if message.kind is Kind.RESPONSE:
            return message.action_id in self._actions
        if message.name in ("FullyBooted", "Shutdown"):
            return True
        if message.name == "OriginateResponse" and message.action_id in self._actions:
            return True
        return self._tells_of_them(piece)

    def _wants_action(self, get: Callable[[str], str]) -> bool:
        channel = get("Channel")
        return (
            get("ActionID") in self._actions
            or get("ChannelId") in self._ids
            or channel in self._ids
            or channel in self._channels
        )

    def _tells_of_them(self, piece: Piece) -> bool:
        ids, bridges = _find_ids(piece.data)
        if any(one in self._ids for _, one in ids):
            return True
        if not ids and any(one in self._bridges for one in bridges):
            return True
        assert piece.message is not None
        channel = piece.message.get("Channel")
        # The second half of a Local channel, where Asterisk is too old to say whose it is.
        return channel.endswith(";2") and f"{channel[:-1]}1" in self._channels

    def _take_event(self, piece: Piece) -> None:
        assert piece.message is not None
        ids, bridges = _find_ids(piece.data)
        own = {one for prefix, one in ids if prefix in _OF_ONE_CALL}
        if own.isdisjoint(self._ids) and not piece.message.get("Channel").endswith(";2"):
            return  # it names one of their channels beside another call's
        self._ids |= own
        self._bridges.update(bridges)
        if piece.message.get("Uniqueid") in self._ids:
            self._channels |= {piece.message.get("Channel")} - _NOTHING

    def _size(self) -> int:
        return sum(map(len, (self._ids, self._actions, self._bridges, self._channels)))


def _find_ids(data: bytes) -> tuple[list[tuple[bytes, str]], list[str]]:
    """The channels' ids in a message with the prefixes of their headers' names, and bridges'."""
    ids, bridges = [], []
    for prefix, value in _IDS.findall(data):
        text = value.decode("utf-8", "replace")
        if text.lower() in _NOTHING:
            continue
        if prefix.lower().endswith(_BRIDGE):
            bridges.append(text)
        else:
            ids.append((prefix.lower(), text))
    return ids, bridges


class Beginnings:
    """The calls that began in [since, until): the ids of their first channels, in `ids`."""

    def __init__(self, since: float | None, until: float | None) -> None:
        self.ids: set[str] = set()
        self._begun: dict[str, None] = {}  # the last ones, in the window or not
        self._since = since
        self._until = until

    def take(self, piece: Piece) -> None:
        """Note whether a call begins with this piece, in the window."""
        begins, at = self._find_beginning(piece), moment_of(piece)
        if begins is None or begins in self._begun:
            return
        if at is None and not self.holds(at):
            return  # what comes next of it may say when
        self._begun[begins] = None
        if len(self._begun) > _REMEMBERED:
            del self._begun[next(iter(self._begun))]
        if self.holds(at):
            self.ids.add(begins)

    def _find_beginning(self, piece: Piece) -> str | None:
        """The id of the call that this may be the first of."""
        message = piece.message
        if message is None:
            return None
        if piece.direction is Direction.SENT:
            begins = message.get("ChannelId") if message.name.lower() == "originate" else ""
        elif message.name == "OriginateResponse":  # of a call that never became a channel
            begins = message.get("Uniqueid")
        else:
            begins = message.get("Uniqueid") if message.name == "Newchannel" else ""
            if message.get("Linkedid") not in {begins, *_NOTHING}:
                return None
        return None if begins in _NOTHING else begins

    def holds(self, at: float | None) -> bool:
        """Whether a moment lies in the window; an unknown one does where there is no bound."""
        if at is None:
            return self._since is None and self._until is None
        return (self._since is None or at >= self._since) and (
            self._until is None or at < self._until
        )


def moment_of(piece: Piece) -> float | None:
    """When it happened, by Asterisk's clock where it tells, else when it was received or sent."""
    if piece.direction is Direction.RECEIVED and piece.message is not None:
        stamp = piece.message.get("Timestamp")
        if _STAMP.fullmatch(stamp):
            return float(stamp)
    return piece.at
