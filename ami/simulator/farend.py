"""The far end of one dialed channel: signals, answers, refuses and clears by the number table."""

from dataclasses import dataclass
from typing import Final, Protocol

from ami.simulator.channels import Channel
from ami.simulator.plan import Behaviour, Signal
from ami.simulator.timers import Timer

# What a SIP round trip over loopback took in the captures.
REACTION: Final = 0.001


@dataclass(slots=True)
class CarrierCall:
    """A line of the carrier's own log: what it did to one call, whatever AMI says of it. `did` is
    '' while nothing was done; a call given up before that has done `ring`. Epoch seconds."""

    number: str
    endpoint: str
    channel_id: str  # the Linkedid: the ChannelId of the originate that it belongs to
    arrived_at: float
    did: str = ""
    answered_at: float | None = None
    ended_at: float | None = None
    sip_call_id: str = ""


class Listener(Protocol):
    """Who dialed, and is told what the far end does."""

    def far_signalled(self, far: "FarEnd", signal: Signal) -> None: ...
    def far_answered(self, far: "FarEnd") -> None: ...
    def far_refused(self, far: "FarEnd") -> None: ...
    def far_cleared(self, far: "FarEnd") -> None: ...


class Switch(Protocol):
    """What the far end needs of the exchange."""

    def later(self, delay: float, act: "Act") -> Timer: ...
    def scaled(self, seconds: float) -> float: ...
    def now(self) -> float: ...


class Act(Protocol):
    def __call__(self) -> None: ...


class FarEnd:
    """The far end of `channel`. Nothing is told after `leave`."""

    __slots__ = ("_listener", "_switch", "_timer", "answered", "behaviour", "channel", "line")

    def __init__(
        self,
        switch: Switch,
        listener: Listener,
        channel: Channel,
        behaviour: Behaviour,
        line: CarrierCall,
    ) -> None:
        self.channel = channel
        self.behaviour = behaviour
        self.line = line
        self.answered = False
        self._switch = switch
        self._listener = listener
        self._timer: Timer | None = switch.later(REACTION, self._react)

    def leave(self) -> None:
        """Our side hung up: the far end does nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.line.ended_at is None:
            self.line.did = self.line.did or "ring"
            self.line.ended_at = self._switch.now()

    def _react(self) -> None:
        behaviour = self.behaviour
        wait = behaviour.wait
        self._timer = None
        if wait is not None and wait > 0:
            self._timer = self._switch.later(self._switch.scaled(wait), self._decide)
        if behaviour.signal is not None:
            self._listener.far_signalled(self, behaviour.signal)
        if wait == 0:
            self._decide()

    def _decide(self) -> None:
        behaviour = self.behaviour
        self._timer = None
        self.line.did = behaviour.did
        if behaviour.talk is None:
            self.line.ended_at = self._switch.now()
            self._listener.far_refused(self)
            return
        self.answered = True
        self.line.answered_at = self._switch.now()
        self._timer = self._switch.later(self._switch.scaled(behaviour.talk), self._clear)
        self._listener.far_answered(self)

    def _clear(self) -> None:
        self._timer = None
        self.line.ended_at = self._switch.now()
        self._listener.far_cleared(self)
