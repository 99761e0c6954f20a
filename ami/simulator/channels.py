"""The simulated Asterisk's channels: what each is, and which ids are in use."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final

UNKNOWN: Final = "<unknown>"
INBOUND: Final = "nothing-comes-in"  # the context of the lab's endpoints
DOWN, RING, RINGING, UP = 0, 4, 5, 6


class Channel:
    """One channel, as its events show it."""

    __slots__ = (
        "account",
        "application",
        "bridge",
        "caller_name",
        "connected",
        "connected_name",
        "context",
        "created_at",
        "data",
        "exten",
        "linkedid",
        "name",
        "number",
        "priority",
        "sip_call_id",
        "state",
        "uniqueid",
    )

    def __init__(self, name: str, uniqueid: str, linkedid: str, created_at: float) -> None:
        self.name = name
        self.uniqueid = uniqueid
        self.linkedid = linkedid
        self.created_at = created_at
        self.state = DOWN
        self.number = self.caller_name = UNKNOWN
        self.connected = self.connected_name = UNKNOWN
        self.account = ""
        self.context = INBOUND
        self.exten = "s"
        self.priority = 1
        self.application = "AppDial2"
        self.data = "(Outgoing Line)"
        self.bridge = ""
        self.sip_call_id = ""  # of a PJSIP channel

    def identify(self, number: str, connected: str, name: str, account: str) -> None:
        """Give it the caller id and account that were set after its creation."""
        self.number, self.connected = number, connected
        self.caller_name = self.connected_name = name
        self.account = account


class Registry:
    """The live channels, by id and by name.

    `refuses` is Asterisk's own check of a new id (main/channelstorage_ao2_legacy.c): a
    case-insensitive comparison with the beginning of every live id.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Channel] = {}
        self._by_name: dict[str, Channel] = {}
        self._ids: list[str] = []
        self.most = 0
        self.created = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._by_id.values()))

    def refuses(self, uniqueid: str) -> bool:
        wanted = uniqueid.lower()
        place = bisect_left(self._ids, wanted)
        return place < len(self._ids) and self._ids[place].startswith(wanted)

    def add(self, channel: Channel) -> None:
        self._by_id[channel.uniqueid] = self._by_name[channel.name] = channel
        insort(self._ids, channel.uniqueid.lower())
        self.created += 1
        self.most = max(self.most, len(self._by_id))

    def remove(self, channel: Channel) -> bool:
        """False where it has hung up before."""
        if self._by_id.pop(channel.uniqueid, None) is None:
            return False
        self._by_name.pop(channel.name, None)
        del self._ids[bisect_left(self._ids, channel.uniqueid.lower())]
        return True

    def find(self, name_or_id: str) -> Channel | None:
        return self._by_name.get(name_or_id) or self._by_id.get(name_or_id)

    def clear(self) -> None:
        self._by_id.clear()
        self._by_name.clear()
        self._ids.clear()
