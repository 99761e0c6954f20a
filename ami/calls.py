"""The call tracker: which call an event belongs to, and when a call is over.

No order is guaranteed between a call's events, and none is guaranteed to come: of 150 busy calls
on Asterisk 22, OriginateResponse came after Hangup in 21. A call is over when no channel of it is
left and its OriginateResponse is in, or one of them and a grace time. It is pure: `at` is wall
time (epoch seconds), `now` monotonic, both given.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from ami.events import (
    BridgeEntered,
    ChannelCreated,
    ChannelEvent,
    ChannelState,
    ChannelStateChanged,
    DialEnded,
    DialEvent,
    DialProgress,
    DialProgressed,
    Event,
    LiveChannel,
    OriginateAnswered,
    ServerBooted,
    ServerShutdown,
)
from ami.legs import Leg, Legs
from ami.reports import (
    CallEffect,
    CallEnded,
    CallProgressed,
    CallReport,
    LegB,
    OpenCall,
    Progress,
)

__all__ = [
    "NO_CHANNEL_GRACE",
    "NO_RESPONSE_GRACE",
    "CallEffect",
    "CallEnded",
    "CallProgressed",
    "CallReport",
    "CallTracker",
    "LegB",
    "OpenCall",
    "Progress",
]

# After the last Hangup: how long to wait for an OriginateResponse. It is sent by the thread that
# dialed, within milliseconds of the channel's end; seconds mean that it was lost with a link.
NO_RESPONSE_GRACE: Final = 5.0
# After an OriginateResponse Failure without a channel: how long a channel's events may lag behind
# it (they pass through the message bus, OriginateResponse does not; 2,500 live channels: 8 ms).
NO_CHANNEL_GRACE: Final = 2.0

_NO_RESPONSE: Final = "no OriginateResponse came after the last channel had hung up"
_NO_CHANNEL: Final = (
    "Asterisk made no channel: no such endpoint, no reachable contact, or an id in use"
)
_RANKS: Final = {progress: rank for rank, progress in enumerate(Progress)}
_HIGHEST: Final = max(_RANKS.values())
# Looking a member up in its enum costs as much as an event's way to its call.
_RINGING: Final = ChannelState.RINGING
_UP: Final = ChannelState.UP
_DIAL_RINGING: Final = DialProgress.RINGING
# A tuple: a union would be made anew for every event that is looked at.
_OF_SERVERS: Final = (ServerShutdown, ServerBooted)


class _Call:
    """An open call: what was seen of it, and what the tracker owes it."""

    __slots__ = (
        "action_id",
        "adopted",
        "begun_at",
        "begun_now",
        "channel_id",
        "expiry",
        "gap",
        "last_now",
        "rank",
        "seen",
    )

    def __init__(self, channel_id: str, action_id: str, at: float, now: float) -> None:
        self.channel_id = channel_id
        self.action_id = action_id
        self.begun_at = at
        self.begun_now = now
        self.last_now = now
        self.adopted = False
        self.gap = False  # events of it may have been missed
        self.rank = -1
        self.expiry: float | None = None
        self.seen = Legs(channel_id)

    @property
    def awaits_response(self) -> bool:
        """Whether an OriginateResponse may still tell something. That of a call found live after
        a lost link may be lost with it; once the call is answered it is not needed."""
        if self.seen.response is not None:
            return False
        return not (self.adopted and self.seen.answered_at is not None)

    def reach(self, progress: Progress, at: float) -> list[CallEffect]:
        """Tell that `progress` was reached, unless it or a later one was told before."""
        rank = _RANKS[progress]
        if rank <= self.rank:
            return []
        self.rank = rank
        return [CallProgressed(self.channel_id, progress, at)]


class CallTracker:
    """Tracks calls by our ChannelId from before their Originate to their one `CallEnded`.

    An OriginateResponse is matched by ActionID alone: that of a refused id carries the Uniqueid
    of another, live call. Channel events are matched by the channel's own id where it was seen
    before, else by Linkedid, which changes when two calls are joined. Events that belong to no
    open call (others' calls, calls that have ended) are counted in `dropped`.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._calls: dict[str, _Call] = {}
        self._by_action: dict[str, _Call] = {}
        self._by_channel: dict[str, _Call] = {}
        self._expiries: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, channel_id: object) -> bool:
        return channel_id in self._calls

    def open_calls(self) -> Iterator[OpenCall]:
        """The calls that have not ended. Nothing may be applied while iterating."""
        for call in self._calls.values():
            seen = call.seen
            yield OpenCall(
                channel_id=call.channel_id,
                action_id=call.action_id,
                answered=seen.answered_at is not None,
                cancelling=seen.cancelled,
                response_seen=seen.response is not None,
                channels_seen=len(seen.legs),
                channels_live=seen.live,
                begun_at=call.begun_now,
                last_event_at=call.last_now,
            )

    def begin(self, channel_id: str, action_id: str, at: float, now: float) -> None:
        """Track a call whose Originate is about to be written. `ValueError` where the id is
        being tracked: two originates with one id are a fault of the caller."""
        if channel_id in self._calls or action_id in self._by_action:
            raise ValueError(f"call {channel_id} (action {action_id}) is being tracked already")
        self._add(channel_id, action_id, at, now)

    def resume(
        self, channel_id: str, action_id: str, at: float, now: float, answered_at: float | None
    ) -> None:
        """As `begin`, for a call that was placed before: all of its events up to now may have been
        missed, but that it was answered, and when, is known (None: it was not seen answered)."""
        self.begin(channel_id, action_id, at, now)
        call = self._calls[channel_id]
        call.gap = True
        call.seen.recalled_at = answered_at
        if answered_at is not None:
            call.rank = _RANKS[Progress.ANSWERED]

    def forget(self, channel_id: str) -> None:
        """The Originate certainly was not run: there is no such call."""
        call = self._calls.get(channel_id)
        if call is not None:
            self._drop(call)

    def note_gap(self) -> None:
        """The link was lost: events of the open calls may be missed."""
        for call in self._calls.values():
            call.gap = True

    def find(self, event: ChannelEvent) -> str | None:
        """The ChannelId of the open call that a channel event belongs to."""
        call = self._find(event)
        return None if call is None else call.channel_id

    def has_hung_up(self, channel_id: str) -> bool:
        """Whether the own channel of an open call is known to have hung up."""
        call = self._calls.get(channel_id)
        own = None if call is None else call.seen.own
        return own is not None and own.hungup_at is not None

    def is_answered(self, channel_id: str) -> bool:
        """Whether an open call is known to have been answered."""
        call = self._calls.get(channel_id)
        return call is not None and call.seen.answered_at is not None

    def preview(self, channel_id: str, at: float) -> CallReport | None:
        """The report that an open call would have if it ended now; `end_estimated` unless its
        own channel's Hangup was seen."""
        call = self._calls.get(channel_id)
        if call is None:
            return None
        return call.seen.conclude(call.action_id, call.begun_at, ended_at=at)

    def awaits(self, action_id: str | None) -> bool:
        """Whether an OriginateResponse with this ActionID is to one of the open calls."""
        return action_id in self._by_action

    def apply(self, event: Event, now: float) -> list[CallEffect]:
        """Take in one event; what it makes known."""
        if isinstance(event, OriginateAnswered):
            return self._apply_response(event, now)
        if isinstance(event, _OF_SERVERS):
            return []
        call = self._find(event)
        if call is None:
            self.dropped += 1
            return []
        return self._take(call, event, now)

    def apply_to(self, channel_id: str, event: ChannelEvent, now: float) -> list[CallEffect]:
        """As `apply`, for an event of which `find` has told that it is this call's."""
        return self._take(self._calls[channel_id], event, now)

    def _take(self, call: _Call, event: ChannelEvent, now: float) -> list[CallEffect]:
        """Record `event` in `call`; what it reached, and whether it ended it."""
        call.last_now = now
        seen = call.seen
        if isinstance(event, DialEvent):
            if event.uniqueid == call.channel_id:
                seen.mention(event.uniqueid, event.at)
            uniqueid, channel = event.dest_uniqueid, event.dest_channel
        else:
            uniqueid, channel = event.uniqueid, event.channel
        effects: list[CallEffect] = []
        if uniqueid is not None:
            self._by_channel.setdefault(uniqueid, call)
            leg = seen.see(uniqueid, channel, event)
            if call.rank < _HIGHEST:
                if call.rank < 0:
                    effects += call.reach(Progress.STARTED, event.at)
                if (tell := _TELLERS.get(type(event))) is not None:
                    effects += tell(call, leg, event)
        if seen.live == 0 or call.expiry is not None:
            effects += self._settle(call, now)
        return effects

    def rejected(self, channel_id: str, at: float, now: float, detail: str) -> list[CallEffect]:
        """The Originate was answered with Error, or was never written: the call ends now, as one
        that was not placed. Where a channel of it has been seen, that is the truth instead."""
        call = self._calls.get(channel_id)
        if call is None or call.seen.legs:
            return []
        call.last_now = now
        return self._end(call, ended_at=at, detail=detail)

    def cancelling(self, channel_id: str) -> None:
        """We are hanging the call up: unless it was answered or refused first, that is its end."""
        call = self._calls.get(channel_id)
        if call is not None:
            call.seen.cancelled = True

    def adopt(
        self,
        channel_id: str,
        action_id: str,
        channels: Sequence[LiveChannel],
        at: float,
        now: float,
    ) -> list[CallEffect]:
        """Track a call found live after a restart or a lost link, or add what was found to a
        call that is being tracked. Of `channels` those count that belong to the call."""
        call = self._calls.get(channel_id) or self._add(channel_id, action_id, at, now)
        call.adopted = True
        call.last_now = now
        for channel in channels:
            known = self._by_channel.get(channel.uniqueid)
            if known is call or (known is None and channel.linkedid == channel_id):
                call.seen.see_live(channel, at)
                self._by_channel[channel.uniqueid] = call
        if call.seen.live:
            call.expiry = None
        return call.reach(Progress.ANSWERED, at) if call.seen.answered_at is not None else []

    def further_legs(self, channel_id: str) -> tuple[str, ...]:
        """The Uniqueids of the call's channels, but its own, that have not hung up as far as it
        was seen."""
        call = self._calls.get(channel_id)
        if call is None:
            return ()
        return tuple(leg.uniqueid for leg in call.seen.live_legs() if leg.uniqueid != channel_id)

    def lose_leg(self, channel_id: str, uniqueid: str, now: float) -> list[CallEffect]:
        """One of `further_legs` is not there any more: its Hangup was missed."""
        call = self._calls.get(channel_id)
        if call is None:
            return []
        call.last_now = now
        call.seen.lose(uniqueid)
        return self._settle(call, now) if call.seen.live == 0 else []

    def settle_absent(
        self, channel_id: str, at: float, now: float, detail: str
    ) -> list[CallEffect]:
        """Nothing of the call is left on the server. Answered stays answered; where its own
        channel's Hangup was seen, that decides; else it cannot be known whether it rang."""
        call = self._calls.get(channel_id)
        if call is None:
            return []
        call.last_now = now
        own = call.seen.own
        certain = own is not None and own.hungup_at is not None
        unreported = call.seen.response is None and not call.gap
        return self._end(call, ended_at=at, certain=certain, detail=detail, unreported=unreported)

    def next_expiry(self) -> float | None:
        """The monotonic time when the next grace time runs out, None while there is none."""
        while self._expiries:
            expiry, channel_id = self._expiries[0]
            call = self._calls.get(channel_id)
            if call is not None and call.expiry == expiry:
                return expiry
            heapq.heappop(self._expiries)
        return None

    def expire(self, now: float) -> list[CallEffect]:
        """End the calls whose grace time has run out by `now`."""
        effects: list[CallEffect] = []
        while (expiry := self.next_expiry()) is not None and expiry <= now:
            call = self._calls[heapq.heappop(self._expiries)[1]]
            missing = call.seen.response is None
            detail = _NO_CHANNEL if not call.seen.legs else None
            detail = _NO_RESPONSE if missing else detail
            effects += self._end(call, detail=detail, unreported=missing and not call.gap)
        return effects

    def _add(self, channel_id: str, action_id: str, at: float, now: float) -> _Call:
        call = _Call(channel_id, action_id, at, now)
        self._calls[channel_id] = self._by_channel[channel_id] = call
        self._by_action[action_id] = call
        return call

    def _find(self, event: ChannelEvent) -> _Call | None:
        """The call that a channel event belongs to: by the channels known, then by Linkedid."""
        known = self._by_channel
        if isinstance(event, DialEvent):
            call = known.get(event.dest_uniqueid or "") or known.get(event.uniqueid or "")
            return call or self._calls.get(event.dest_linkedid or event.linkedid or "")
        return known.get(event.uniqueid) or self._calls.get(event.linkedid or "")

    def _apply_response(self, event: OriginateAnswered, now: float) -> list[CallEffect]:
        call = self._by_action.get(event.action_id or "")
        if call is None:
            self.dropped += 1
            return []
        call.last_now = now
        call.seen.see_response(event)
        effects = call.reach(Progress.ANSWERED, event.at) if event.success else []
        return effects + self._settle(call, now)

    def _settle(self, call: _Call, now: float) -> list[CallEffect]:
        """End `call` if it is over, else start or stop its grace time."""
        seen = call.seen
        if seen.live:
            call.expiry = None
            return []
        own = seen.own
        if own is not None and own.hungup_at is not None and not call.awaits_response:
            return self._end(call)
        if seen.succeeded:
            call.expiry = None  # its own channel is up, though its end was not seen
            return []
        grace = NO_CHANNEL_GRACE if seen.response is not None else NO_RESPONSE_GRACE
        if call.expiry is None and (seen.legs or seen.response is not None):
            call.expiry = now + grace
            heapq.heappush(self._expiries, (call.expiry, call.channel_id))
        return []

    def _end(
        self,
        call: _Call,
        *,
        ended_at: float | None = None,
        certain: bool = True,
        detail: str | None = None,
        unreported: bool = False,
    ) -> list[CallEffect]:
        self._drop(call)
        report = call.seen.conclude(
            call.action_id, call.begun_at, ended_at=ended_at, certain=certain, detail=detail
        )
        return [CallEnded(replace(report, unreported=True) if unreported else report)]

    def _drop(self, call: _Call) -> None:
        del self._calls[call.channel_id]
        del self._by_action[call.action_id]
        self._by_channel.pop(call.channel_id, None)
        for uniqueid in call.seen.legs:
            if self._by_channel.get(uniqueid) is call:
                del self._by_channel[uniqueid]


# What an event about a channel of a call makes known of the call's progress.


def _tell_state(
    call: _Call, leg: Leg, event: ChannelCreated | ChannelStateChanged
) -> list[CallEffect]:
    if event.state is _RINGING and not call.seen.is_second(leg):
        return call.reach(Progress.RINGING, event.at)
    if event.state is _UP and leg.uniqueid == call.channel_id:
        return call.reach(Progress.ANSWERED, event.at)
    return []


def _tell_progress(call: _Call, leg: Leg, event: DialProgressed) -> list[CallEffect]:
    if event.progress is _DIAL_RINGING and not call.seen.is_second(leg):
        return call.reach(Progress.RINGING, event.at)
    return []


def _tell_dial_end(call: _Call, leg: Leg, event: DialEnded) -> list[CallEffect]:
    if event.status == "ANSWER" and leg.uniqueid == call.channel_id:
        return call.reach(Progress.ANSWERED, event.at)
    return []


def _tell_bridge(call: _Call, leg: Leg, event: BridgeEntered) -> list[CallEffect]:
    return call.reach(Progress.BRIDGED, event.at) if _is_bridged(call, leg) else []


def _is_bridged(call: _Call, leg: Leg) -> bool:
    """Whether `leg`, which entered a bridge, met the other leg of the call there."""
    if leg.uniqueid != call.channel_id:
        return call.seen.is_second(leg) and call.seen.talks(leg)
    others = call.seen.legs.values()
    return any(call.seen.is_second(other) and call.seen.talks(other) for other in others)


# By the event's class; those that are not here tell nothing.
_TELLERS: Final[dict[type[ChannelEvent], Callable[[_Call, Leg, Any], list[CallEffect]]]] = {
    ChannelCreated: _tell_state,
    ChannelStateChanged: _tell_state,
    DialProgressed: _tell_progress,
    DialEnded: _tell_dial_end,
    BridgeEntered: _tell_bridge,
}
