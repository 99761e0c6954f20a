"""Follows the calls of a trace with production's tracker, on the trace's own clock. Pure.

A trace seldom says all that the dialer knew. Whose a channel is, is found out: a call's first
channel is the one whose Linkedid is its own; an OriginateResponse without an ActionID that was seen
written is matched by Uniqueid, and a Failure among those never ends a call that is seen live, for
that of a refused id names another's channel.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ami import (
    WANTED,
    CallEffect,
    CallEnded,
    CallReport,
    CallTracker,
    ChannelCreated,
    ChannelEvent,
    ChannelHungUp,
    Decoder,
    DialBegun,
    Event,
    Kind,
    Message,
    OriginateAnswered,
    ProtocolBroken,
    ServerBooted,
    ServerShutdown,
    translate,
)
from ami.trace import Direction, Record, breaks_stream, read_note
from dialer.replay.origin import Origin, read_originate, recall_originate

RESTARTED: Final = "Asterisk was restarted"
NO_BEGIN: Final = "its beginning is not in the trace"
NO_END: Final = "its end is not in the trace"

# A call's own Failure and its Hangup come within milliseconds of each other.
_FAILURE_BELONGS: Final = 1.0
# Ended and half-seen calls are remembered to tell what comes late; a day's trace has millions.
_REMEMBERED: Final = 20_000
_BANNER: Final = b"Asterisk Call Manager"
_FOREVER: Final = float("inf")
_RESPONSE: Final = Kind.RESPONSE
_SELDOM: Final = (OriginateAnswered, ServerBooted, ServerShutdown)


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A call of a trace. `report` is what production's tracker made of it, None where the trace
    holds it only in part: then `missing` says what lacks. `originated`: ordered over AMI, as far
    as can be seen. `timed`: the trace said when things happened; else all times are meaningless.
    `channel` is the name of its first channel, `first_at` when it was first seen."""

    channel_id: str
    report: CallReport | None
    missing: str | None
    origin: Origin | None
    originated: bool
    timed: bool
    channel: str
    first_at: float

    @property
    def of_nobody(self) -> bool:
        """Whether nobody originated it over AMI. Nothing tells that of a call whose beginning the
        trace does not hold."""
        return not self.originated and self.missing != NO_BEGIN


@dataclass(slots=True)
class _Seen:
    channel: str
    first_at: float
    timed: bool
    originated: bool = False
    origin: Origin | None = None
    created: tuple[ChannelCreated, ...] = ()  # its channels, where nothing said whose they are
    alone: bool = False  # a Failure, of which no more is known
    beheld: bool = False  # any channel event came, so that a Failure alone proves nothing
    held: tuple[OriginateAnswered, Origin, Message] | None = None  # a Failure, perhaps another's
    dialed: str = ""  # what the originate's own dial called


Watcher = Callable[[float | None, Message | None, str, list[CallEffect]], None]


class Follower:
    """Takes the records of one AMI session, or of several of one server in a row, in their order;
    gives every call once, when it is over or when `finish` says that nothing more comes.

    `late`: events of calls that had ended. `watch`, where set, is called with the time, the message
    and what followed for each event that belongs to a call: (at, message, channel_id, effects).
    """

    def __init__(self) -> None:
        self.tracker = CallTracker()
        self.late = 0
        self.messages = 0
        self.watch: Watcher | None = None
        self._decoder = Decoder(wanted=WANTED)
        self._at: float | None = None
        self._seen: dict[str, _Seen] = {}
        self._partial: OrderedDict[str, _Seen] = OrderedDict()
        self._ended: OrderedDict[str, float] = OrderedDict()  # → when
        self._actions: dict[str, str] = {}  # ActionID → ChannelId, of Originates seen written
        self._nameless: deque[Origin] = deque(maxlen=1000)  # Originates without a ChannelId
        self._shutting_down = False

    # Input.

    def feed(self, record: Record) -> Iterator[TracedCall]:
        """The calls that are over with this record."""
        if record.at is not None:
            self._at = record.at if self._at is None else max(self._at, record.at)
            if (due := self.tracker.next_expiry()) is not None and due <= self._now:
                yield from self._follow_all(self.tracker.expire(self._now))
        if record.direction is Direction.RECEIVED:
            if record.data.startswith(_BANNER):
                self._begin_session()
            for message in self._decode(record.data):
                if calls := self._take(message, record.at):
                    yield from calls
        elif record.direction is Direction.SENT:
            self._take_sent(record.data)
        elif breaks_stream(read_note(record)):
            self._begin_session()

    def finish(self) -> Iterator[TracedCall]:
        """The trace is over: what remains is given as far as it can be told."""
        yield from self._follow_all(self.tracker.expire(_FOREVER))
        rest = [(channel_id, seen, NO_END) for channel_id, seen in self._seen.items()]
        rest += [(key, seen, NO_BEGIN) for key, seen in self._partial.items()]
        for channel_id, seen, missing in sorted(rest, key=lambda one: (one[1].first_at, one[0])):
            if seen.beheld or missing is NO_BEGIN or seen.originated:
                yield self._give(channel_id, seen, None, missing)
        self._seen.clear()
        self._partial.clear()

    @property
    def _now(self) -> float:
        return self._at or 0.0

    def _begin_session(self) -> None:
        """Another connection: what happened before it may have been missed."""
        self.tracker.note_gap()
        self._decoder = Decoder(wanted=WANTED)
        self._shutting_down = False

    def _decode(self, data: bytes) -> list[Message]:
        try:
            return self._decoder.feed(data)
        except ProtocolBroken as error:
            self._decoder = Decoder(wanted=WANTED)
            return list(getattr(error, "messages", ()))

    # What was written to Asterisk.

    def _take_sent(self, data: bytes) -> None:
        plain = data.endswith(b"\r\n\r\n") and b"\n\n" not in data
        blocks = data.split(b"\r\n\r\n") if plain else _split_blocks(data)
        for block in blocks:
            message = Message(Kind.EVENT, "sent", block)
            action = message.get("Action").lower()
            if action == "originate":
                self._order(message)
            elif action == "hangup":
                self.tracker.cancelling(message.get("Channel"))

    def _order(self, message: Message) -> None:
        origin = read_originate(message)
        channel_id, action_id = origin.channel_id, origin.action_id
        if channel_id is None:
            self._nameless.append(origin)
            return
        if channel_id in self._seen or channel_id in self._ended or action_id in self._actions:
            return  # refused by Asterisk, or its ids were used again
        seen = self._begin(channel_id, "", action_id)
        seen.originated, seen.origin = True, origin
        if action_id is not None:
            self._actions[action_id] = channel_id

    def _begin(self, channel_id: str, channel: str, action_id: str | None = None) -> _Seen:
        timed = self._at is not None
        seen = self._seen[channel_id] = _Seen(channel, self._now, timed)
        self.tracker.begin(channel_id, action_id or _ours(channel_id), self._now, self._now)
        return seen

    # What Asterisk said. Lists, for most are empty, and a generator costs more than an event.

    def _take(self, message: Message, at: float | None) -> list[TracedCall]:
        self.messages += 1
        if message.kind is _RESPONSE:
            return self._take_response(message)
        event = translate(message, at if at is not None else self._now)
        if event is None:
            return []
        if at is None and message.get("Timestamp"):
            self._at = event.at if self._at is None else max(self._at, event.at)
        if isinstance(event, _SELDOM):
            return self._take_seldom(event, message)
        return self._take_channel_event(event, message)

    def _take_seldom(
        self, event: OriginateAnswered | ServerBooted | ServerShutdown, message: Message
    ) -> list[TracedCall]:
        if isinstance(event, OriginateAnswered):
            return self._take_answer(event, message)
        if isinstance(event, ServerBooted):
            return self._take_boot(event)
        self._shutting_down = True
        return []

    def _take_response(self, message: Message) -> list[TracedCall]:
        """The answer to an action: an Originate that was refused made no call."""
        channel_id = self._actions.get(message.action_id)
        if channel_id is None or message.name != "Error":
            return []
        detail = message.get("Message")
        effects = self.tracker.rejected(channel_id, self._now, self._now, detail)
        return self._follow(effects, message, channel_id)

    def _take_boot(self, event: ServerBooted) -> list[TracedCall]:
        """An Asterisk that began later than a call did has no such call."""
        if event.uptime is None:
            return []
        booted_at = event.at - event.uptime
        before = [key for key, seen in self._seen.items() if seen.first_at < booted_at - 1.0]
        calls: list[TracedCall] = []
        for channel_id in before:
            calls += self._follow_all(
                self.tracker.settle_absent(channel_id, self._now, self._now, RESTARTED)
            )
        return calls

    def _take_answer(self, event: OriginateAnswered, message: Message) -> list[TracedCall]:
        known = self._actions.get(event.action_id or "")
        if known is not None:
            return self._follow(self.tracker.apply(event, self._now), message, known)
        channel_id = event.uniqueid
        if channel_id is None or (channel_id in self._ended and channel_id not in self._seen):
            self.late += 1
            return []
        origin = self._find_order(event, message)
        seen = self._seen.get(channel_id)
        if seen is None and (event.success or channel_id in self._partial):
            self._note_partial(channel_id, event, origin)
            return []
        if seen is None:
            seen = self._begin(channel_id, "")
            seen.alone = True
        if not event.success and seen.beheld and not self.tracker.has_hung_up(channel_id):
            seen.held = (event, origin, message)
            return []
        seen.originated, seen.origin = True, seen.origin or origin
        return self._answer(channel_id, event, message)

    def _answer(
        self, channel_id: str, event: OriginateAnswered, message: Message | None
    ) -> list[TracedCall]:
        named = OriginateAnswered(
            event.at,
            _ours(channel_id),
            event.uniqueid,
            event.success,
            event.raw_response,
            event.reason,
            event.channel,
        )
        return self._follow(self.tracker.apply(named, self._now), message, channel_id)

    def _find_order(self, event: OriginateAnswered, message: Message) -> Origin:
        for origin in self._nameless:
            if origin.action_id is not None and origin.action_id == event.action_id:
                self._nameless.remove(origin)
                return origin
        return recall_originate(message, event)

    def _take_channel_event(self, event: ChannelEvent, message: Message) -> list[TracedCall]:
        if isinstance(event, ChannelCreated):
            event = self._place(event)
        elif isinstance(event, DialBegun):
            self._join(event)
        found = self.tracker.find(event)
        if found is None:
            key = _call_of(event)
            if key in self._ended:
                self.late += 1
            else:
                self._note_partial(key, event, None)
            return []
        seen = self._seen[found]
        if seen.alone:
            self._disown(found)
            return []
        seen.beheld = True
        if not seen.timed and event.at > 0:
            seen.timed = True
        if isinstance(event, DialBegun):
            if event.uniqueid is None:  # an originate's own dial has no channel that dials
                seen.originated = True
                seen.dialed = seen.dialed or _dial_string(event.dest_channel, message)
        elif seen.held is not None and isinstance(event, ChannelHungUp) and event.uniqueid == found:
            calls = self._take_held(found, seen, event)
            return calls + self._follow(self.tracker.apply(event, self._now), message, found)
        effects = self.tracker.apply_to(found, event, self._at or 0.0)
        if not effects and self.watch is None:
            return []
        return self._follow(effects, message, found)

    def _take_held(self, channel_id: str, seen: _Seen, hangup: ChannelHungUp) -> list[TracedCall]:
        """A Failure was this call's own when its channel went at the same time."""
        held, seen.held = seen.held, None
        if held is None or self.tracker.is_answered(channel_id):
            return []
        if abs(hangup.at - held[0].at) > _FAILURE_BELONGS:
            return []
        seen.originated, seen.origin = True, seen.origin or held[1]
        return self._answer(channel_id, held[0], held[2])

    def _place(self, event: ChannelCreated) -> ChannelCreated:
        """A new channel begins a call, or it is told whose it is."""
        uniqueid = event.uniqueid
        if event.linkedid is None and (half := self._other_half(event.channel)) is not None:
            self._seen[half].created += (event,)
            return replace(event, linkedid=half)
        known = uniqueid in self._seen
        if known:
            self._seen[uniqueid].channel = self._seen[uniqueid].channel or event.channel
            self._seen[uniqueid].alone = False
        elif event.linkedid in (None, uniqueid) and event.at > self._ended.get(uniqueid, -1.0):
            if self.tracker.find(event) is not None:
                return event
            seen = self._begin(uniqueid, event.channel)
            seen.first_at = min(seen.first_at, event.at) if seen.timed else event.at
            seen.timed = seen.timed or event.at > 0
            self._adopt_order(seen, event.channel)
            if event.linkedid is None:
                seen.created = (event,)
        return event

    def _adopt_order(self, seen: _Seen, channel: str) -> None:
        """The first Originate without a ChannelId whose channel this may be."""
        for origin in self._nameless:
            if channel.lower().startswith(origin.channel_prefix):
                self._nameless.remove(origin)
                seen.origin, seen.originated = origin, True
                return

    def _other_half(self, channel: str) -> str | None:
        """The call of a Local channel's first half, where Asterisk is too old for Linkedids."""
        if not channel.endswith(";2"):
            return None
        first = channel[:-1] + "1"
        return next((key for key, seen in self._seen.items() if seen.channel == first), None)

    def _join(self, event: DialBegun) -> None:
        """Without Linkedids a dialed channel, with those that it brought along, looked like a call
        of its own until now."""
        dialed = self._seen.get(event.dest_uniqueid)
        if dialed is None or not dialed.created:
            return
        root = self.tracker.find(replace(event, dest_uniqueid="", dest_linkedid=None))  # who dials
        if root is None or root == event.dest_uniqueid:
            return
        self.tracker.forget(event.dest_uniqueid)
        del self._seen[event.dest_uniqueid]
        for created in dialed.created:
            self.tracker.apply(replace(created, linkedid=root), self._now)
        if self._seen[root].created:
            self._seen[root].created += dialed.created

    # Output.

    def _follow(
        self, effects: list[CallEffect], message: Message | None, channel_id: str
    ) -> list[TracedCall]:
        if self.watch is not None:
            self.watch(self._at, message, channel_id, effects)
        return self._conclude(effects) if effects else []

    def _follow_all(self, effects: list[CallEffect]) -> list[TracedCall]:
        """What came of no message: a time that ran out, a restart."""
        calls: list[TracedCall] = []
        for effect in effects:
            if isinstance(effect, CallEnded):
                calls += self._follow([effect], None, effect.report.channel_id)
        return calls

    def _conclude(self, effects: list[CallEffect]) -> list[TracedCall]:
        calls: list[TracedCall] = []
        for effect in effects:
            if not isinstance(effect, CallEnded):
                continue
            report = effect.report
            seen = self._seen.pop(report.channel_id)
            if seen.origin is not None and seen.origin.action_id is not None:
                self._actions.pop(seen.origin.action_id, None)
            self._remember(report.channel_id, report.ended_at if seen.timed else _FOREVER)
            calls.append(self._give(report.channel_id, seen, report, None))
        return calls

    def _give(
        self, channel_id: str, seen: _Seen, report: CallReport | None, missing: str | None
    ) -> TracedCall:
        return TracedCall(
            channel_id=channel_id,
            report=report,
            missing=missing,
            origin=_complete(seen.origin, seen.dialed),
            originated=seen.originated,
            timed=seen.timed,
            channel=seen.channel,
            first_at=seen.first_at,
        )

    def _remember(self, channel_id: str, ended_at: float) -> None:
        self._ended[channel_id] = ended_at
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def _note_partial(self, key: str, event: Event, origin: Origin | None) -> None:
        seen = self._partial.get(key)
        if seen is None:
            channel = getattr(event, "channel", "") or getattr(event, "dest_channel", "")
            timed = self._at is not None
            seen = _Seen(channel, event.at, timed, beheld=True)
            self._keep_partial(key, seen)
        if origin is not None:
            seen.origin, seen.originated = origin, True

    def _disown(self, channel_id: str) -> None:
        """A Failure was taken for all of a call, and there is a channel: its beginning, or that of
        the call whose id was in use, is not in the trace."""
        self.tracker.forget(channel_id)
        self._keep_partial(channel_id, self._seen.pop(channel_id))

    def _keep_partial(self, key: str, seen: _Seen) -> None:
        self._partial[key] = seen
        if len(self._partial) > _REMEMBERED:
            self._partial.popitem(last=False)


def _split_blocks(data: bytes) -> list[bytes]:
    """The actions in bytes with line ends of any kind."""
    return [block.strip(b"\n") for block in data.replace(b"\r\n", b"\n").split(b"\n\n")]


def _dial_string(channel: str, message: Message) -> str:
    """What was dialed: DialBegin has it without its technology."""
    tech, slash, _ = channel.partition("/")
    dialed = message.get("DialString")
    return f"{tech}/{dialed}" if slash and dialed else ""


def _complete(origin: Origin | None, dialed: str) -> Origin | None:
    """An order with its dial string: of an answered call the OriginateResponse names the channel
    in its place."""
    if not dialed or (origin is not None and (origin.written or origin.dial_string == dialed)):
        return origin
    if origin is None:
        return Origin(None, None, dialed, None, None, None, None)
    return replace(origin, dial_string=dialed)


def _ours(channel_id: str) -> str:
    """The ActionID under which a call is tracked whose own is not known."""
    return f"trace:{channel_id}"


def _call_of(event: Event) -> str:
    """The id under which a channel event's call would be known."""
    for name in ("linkedid", "dest_linkedid", "uniqueid", "dest_uniqueid"):
        value = getattr(event, name, None)
        if value:
            return str(value)
    return ""
