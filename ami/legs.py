"""What was seen of one call's channels, and the report that it amounts to.

Everything kept here is a minimum, a maximum or a flag that is never cleared, so that the same
events in any order, and any of them twice, leave the same record and give the same report.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from ami.causes import EMPTY_CAUSES, Evidence, cause_text, decide_disposition
from ami.events import (
    BridgeEntered,
    CallIdTold,
    ChannelCreated,
    ChannelEvent,
    ChannelHungUp,
    ChannelState,
    ChannelStateChanged,
    DialBegun,
    DialEnded,
    DialProgress,
    DialProgressed,
    LiveChannel,
    OriginateAnswered,
    RecordingStarted,
)
from ami.reports import CallReport, LegB

# Looking a member up in its enum costs as much as what is done with it.
_RINGING: Final = ChannelState.RINGING
_UP: Final = ChannelState.UP
_DIAL_RINGING: Final = DialProgress.RINGING
_DIAL_PROGRESS: Final = DialProgress.PROGRESS
_TOLD: Final = (RecordingStarted, CallIdTold)


class Leg:
    """One channel of a call. Times are epoch seconds by Asterisk's clock."""

    __slots__ = (
        "bridges",
        "cause",
        "cause_text",
        "channel",
        "created_at",
        "dial_ended",
        "dialed_at",
        "dialed_by",
        "first_at",
        "gone",
        "hungup_at",
        "progressed",
        "ringing_at",
        "sip_code",
        "uniqueid",
        "up_at",
    )

    def __init__(self, uniqueid: str, at: float) -> None:
        self.uniqueid = uniqueid
        self.channel = ""
        self.first_at = at
        self.created_at: float | None = None
        self.ringing_at: float | None = None
        self.progressed = False
        self.up_at: float | None = None
        self.hungup_at: float | None = None
        self.gone = False  # hung up, though its Hangup was not seen
        self.cause: int | None = None
        self.cause_text: str | None = None
        self.sip_code: int | None = None
        self.dialed_by: str | None = None
        self.dialed_at: float | None = None
        self.dial_ended: tuple[float, str] | None = None
        self.bridges: frozenset[str] = frozenset()

    @property
    def is_local(self) -> bool:
        """Whether it is one half of a Local channel: never a phone itself."""
        return self.channel.startswith("Local/")

    @property
    def dial_status(self) -> str | None:
        return self.dial_ended[1] if self.dial_ended else None

    @property
    def answered_at(self) -> float | None:
        """When it came up: by its state, or by the end of the dial that made it."""
        if self.dial_ended is not None and self.dial_ended[1] == "ANSWER":
            return earlier(self.up_at, self.dial_ended[0])
        return self.up_at

    def see(self, event: ChannelEvent) -> None:
        """Take in an event about this channel (of a dial event: about the dialed channel)."""
        at = event.at
        if at < self.first_at:
            self.first_at = at
        _SEERS[type(event)](self, event)

    def _see_created(self, event: ChannelCreated) -> None:
        self.created_at = earlier(self.created_at, event.at)
        self._see_state(event)

    def _see_state(self, event: ChannelCreated | ChannelStateChanged) -> None:
        if event.state is _UP:
            self.up_at = earlier(self.up_at, event.at)
        elif event.state is _RINGING:
            self.ringing_at = earlier(self.ringing_at, event.at)

    def _see_bridge(self, event: BridgeEntered) -> None:
        self.bridges |= {event.bridge_id}

    def _see_dial_begin(self, event: DialBegun) -> None:
        self.dialed_by = self.dialed_by or event.uniqueid
        self.dialed_at = earlier(self.dialed_at, event.at)

    def _see_dial_state(self, event: DialProgressed) -> None:
        self.dialed_by = self.dialed_by or event.uniqueid
        if event.progress is _DIAL_RINGING:
            self.ringing_at = earlier(self.ringing_at, event.at)
        elif event.progress is _DIAL_PROGRESS:
            self.progressed = True

    def _see_dial_end(self, event: DialEnded) -> None:
        self.dialed_by = self.dialed_by or event.uniqueid
        ended = (event.at, event.status)
        self.dial_ended = ended if self.dial_ended is None else max(self.dial_ended, ended)

    def _see_hangup(self, event: ChannelHungUp) -> None:
        if self.hungup_at is None or event.at < self.hungup_at:
            self.hungup_at = event.at
            self.cause = event.cause
            self.cause_text = event.cause_text
            self.sip_code = event.sip_code

    def _see_nothing(self, _: RecordingStarted | CallIdTold) -> None:
        """It is the call's, not the channel's."""


# By the event's class; all of them are here.
_SEERS: Final[dict[type[ChannelEvent], Callable[[Leg, Any], None]]] = {
    ChannelCreated: Leg._see_created,
    ChannelStateChanged: Leg._see_state,
    DialBegun: Leg._see_dial_begin,
    DialProgressed: Leg._see_dial_state,
    DialEnded: Leg._see_dial_end,
    BridgeEntered: Leg._see_bridge,
    RecordingStarted: Leg._see_nothing,
    CallIdTold: Leg._see_nothing,
    ChannelHungUp: Leg._see_hangup,
}


class Legs:
    """Everything seen of one call."""

    __slots__ = (
        "cancelled",
        "channel_id",
        "legs",
        "live",
        "recalled_at",
        "recorded",
        "response",
        "sip_call_id",
    )

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        self.legs: dict[str, Leg] = {}
        self.live = 0  # channels seen and not hung up
        self.response: OriginateAnswered | None = None
        self.cancelled = False
        self.recalled_at: float | None = None  # answered then, as an earlier life saw it
        self.sip_call_id: str | None = None
        self.recorded: tuple[float, str] | None = None  # the first recording: since when, its file

    @property
    def own(self) -> Leg | None:
        """The called party's channel: the one that carries our ChannelId."""
        return self.legs.get(self.channel_id)

    @property
    def succeeded(self) -> bool:
        return self.response is not None and self.response.success

    @property
    def answered_at(self) -> float | None:
        """When the called party's channel came up, by whichever sign of it came first."""
        own = self.own
        answered_at = own.answered_at if own is not None else None
        if self.recalled_at is not None:
            answered_at = earlier(answered_at, self.recalled_at)
        if self.response is not None and self.response.success:
            return earlier(answered_at, self.response.at)
        return answered_at

    def see(self, uniqueid: str, channel: str, event: ChannelEvent) -> Leg:
        """Take in `event` about the channel `uniqueid`; the channel's record."""
        leg = self.legs.get(uniqueid)
        if leg is None or not leg.channel:
            leg = self._leg(uniqueid, channel, event.at)
        if isinstance(event, ChannelHungUp):
            if leg.hungup_at is None and not leg.gone:
                self.live -= 1
        elif isinstance(event, _TOLD):
            self._note(uniqueid, event)
        leg.see(event)
        return leg

    def _note(self, uniqueid: str, told: RecordingStarted | CallIdTold) -> None:
        """Keep what the dialplan told of the call."""
        if isinstance(told, RecordingStarted):
            begun = (told.at, told.file)
            self.recorded = begun if self.recorded is None else min(self.recorded, begun)
        elif uniqueid == self.channel_id:
            self.sip_call_id = min(told.call_id, self.sip_call_id or told.call_id)

    def see_live(self, listed: LiveChannel, at: float) -> None:
        """Take in a channel that Asterisk lists at `at`. Its ringing or its answer is as late as
        the list, where no earlier sign of it was seen."""
        leg = self._leg(listed.uniqueid, listed.channel, at)
        if leg.hungup_at is not None:
            return
        if leg.gone:  # it is there after all
            leg.gone = False
            self.live += 1
        if listed.duration is not None and leg.created_at is None:
            leg.created_at = at - listed.duration
        if listed.up and leg.up_at is None:
            leg.up_at = at
        if listed.ringing and leg.ringing_at is None:
            leg.ringing_at = at

    def live_legs(self) -> list[Leg]:
        return [leg for leg in self.legs.values() if leg.hungup_at is None and not leg.gone]

    def lose(self, uniqueid: str) -> None:
        """The channel is not there any more, and its Hangup was not seen."""
        leg = self.legs.get(uniqueid)
        if leg is not None and leg.hungup_at is None and not leg.gone:
            leg.gone = True
            self.live -= 1

    def see_response(self, response: OriginateAnswered) -> None:
        """Take in our OriginateResponse; of two that differ, Success stands."""
        if self.response is None or (response.success and not self.response.success):
            self.response = response

    def mention(self, uniqueid: str, at: float) -> None:
        """A channel was named by an event about another: it is there."""
        self._leg(uniqueid, "", at)

    def is_second(self, leg: Leg) -> bool:
        """Whether the called party's channel dialed `leg` itself."""
        return leg.dialed_by == self.channel_id

    def talks(self, leg: Leg) -> bool:
        """Whether the second leg `leg` was in one bridge with the called party's channel."""
        own = self.own
        return own is not None and not own.bridges.isdisjoint(leg.bridges)

    def _leg(self, uniqueid: str, channel: str, at: float) -> Leg:
        leg = self.legs.get(uniqueid)
        if leg is None:
            leg = self.legs[uniqueid] = Leg(uniqueid, at)
            self.live += 1
        if channel and not leg.channel:
            leg.channel = channel
        return leg

    def conclude(
        self,
        action_id: str,
        begun_at: float,
        *,
        ended_at: float | None = None,
        certain: bool = True,
        detail: str | None = None,
    ) -> CallReport:
        """The report of the call as it stands. `begun_at` stands in for a start that was not
        seen, `ended_at` for an end that was not; not `certain`: what was not seen may have been
        missed."""
        own = self.own
        answered_at = self.answered_at
        first_side = self._first_side()
        told_by = self._told_by(own, first_side, answered=answered_at is not None)
        rang = any(leg.progressed or leg.ringing_at is not None for leg in first_side)
        cause, sip_code = (told_by.cause, told_by.sip_code) if told_by else (None, None)
        reason = self.response.reason if self.response else None
        dial_status = own.dial_status if own else None
        evidence = Evidence(
            answered=answered_at is not None,
            cancelled=self.cancelled,
            rang=rang,
            channel_seen=bool(self.legs),
            certain=certain,
            reason=reason,
            cause=cause,
            sip_code=sip_code,
            dial_status=dial_status,
        )
        second = [leg for leg in self.legs.values() if leg.dialed_by == self.channel_id]
        return CallReport(
            channel_id=self.channel_id,
            action_id=action_id,
            disposition=decide_disposition(evidence),
            connected_b=any(map(self.talks, second)),
            started_at=self._started_at(begun_at),
            ringing_at=earliest(leg.ringing_at for leg in first_side),
            answered_at=answered_at,
            ended_at=self._ended_at(begun_at if ended_at is None else ended_at),
            end_estimated=self._end_unseen(ended_at),
            cause=cause,
            cause_text=_text_of(told_by),
            sip_code=sip_code,
            reason=reason,
            dial_status=dial_status,
            leg_b=self._leg_b(second) if second else None,
            placed=bool(self.legs) or not certain or bool(reason),
            rang=rang,
            detail=detail,
            recording=self.recorded[1] if self.recorded is not None else None,
            sip_call_id=self.sip_call_id,
        )

    def _first_side(self) -> list[Leg]:
        """The channels on the called party's side: all but those that its channel dialed, what
        these dialed in turn, and their other halves."""
        legs = list(self.legs.values())
        if len(legs) < 2:
            return legs
        second = {self.channel_id}
        halves: set[str] = set()
        grew = True
        while grew:
            grew = False
            for leg in legs:
                if leg.uniqueid in second:
                    continue
                if leg.dialed_by in second or leg.channel in halves:
                    second.add(leg.uniqueid)
                    halves.add(_other_half(leg))
                    grew = True
        second.discard(self.channel_id)
        return [leg for leg in legs if leg.uniqueid not in second]

    def _told_by(self, own: Leg | None, first_side: list[Leg], *, answered: bool) -> Leg | None:
        """The channel whose Hangup explains the call: the called party's, but where that one
        carries no SIP code and was never answered, the last leg dialed for it that says more:
        any that says something where it says nothing, else one that says the same."""
        if answered or (own is not None and own.sip_code is not None):
            return own
        silent = own is None or not _explains(own)
        dialed = [
            (leg.hungup_at, leg.uniqueid, leg)
            for leg in first_side
            if leg is not own and leg.hungup_at is not None and not leg.is_local and _explains(leg)
            if silent or (own is not None and leg.cause == own.cause)
        ]
        return max(dialed)[2] if dialed else own

    def _leg_b(self, second: list[Leg]) -> LegB:
        """The second leg: the one that talked, else the one that answered, else the last dialed."""
        dialed = [
            (self.talks(leg), leg.answered_at is not None, leg.dialed_at or 0.0, leg.uniqueid)
            for leg in second
        ]
        leg = self.legs[max(dialed)[3]]
        return LegB(
            channel=leg.channel or None,
            dial_status=leg.dial_status,
            cause=leg.cause,
            sip_code=leg.sip_code,
            answered_at=leg.answered_at,
            ended_at=leg.hungup_at,
        )

    def _started_at(self, begun_at: float) -> float:
        own = self.own
        if own is not None and own.created_at is not None:
            return own.created_at
        first = earliest(leg.first_at for leg in self.legs.values())
        if first is not None:
            return first
        return self.response.at if self.response is not None else begun_at

    def _ended_at(self, otherwise: float) -> float:
        own = self.own
        if own is not None and own.hungup_at is not None:
            return max(leg.hungup_at for leg in self.legs.values() if leg.hungup_at is not None)
        if not self.legs and self.response is not None:
            return self.response.at
        return otherwise

    def _end_unseen(self, ended_at: float | None) -> bool:
        own = self.own
        hangup_seen = own is not None and own.hungup_at is not None
        return ended_at is not None and not hangup_seen


def earlier(first: float | None, second: float) -> float:
    """The lesser of two times, the first of which may be missing."""
    return second if first is None or second < first else first


def earliest(times: Iterable[float | None]) -> float | None:
    """The least of the times that are there."""
    return min((time for time in times if time is not None), default=None)


def _other_half(leg: Leg) -> str:
    """The name of a Local channel's other half; a name that no channel has for all others."""
    if leg.is_local and leg.channel.endswith((";1", ";2")):
        return leg.channel[:-1] + ("2" if leg.channel.endswith("1") else "1")
    return "\0"


def _explains(leg: Leg) -> bool:
    return leg.sip_code is not None or leg.cause not in EMPTY_CAUSES


def _text_of(leg: Leg | None) -> str | None:
    if leg is None or leg.cause is None:
        return None
    return leg.cause_text or cause_text(leg.cause)
