"""The second leg: what `Dial` (or `Queue`) on an answered channel makes."""

from typing import Protocol

from ami.simulator.channels import RINGING, UP, Channel
from ami.simulator.farend import FarEnd, Listener
from ami.simulator.pages import write_bridge, write_channel, write_dial
from ami.simulator.plan import Signal
from ami.simulator.requests import Target
from ami.simulator.timers import Timer


class Exchange(Protocol):
    """What a second leg needs of the exchange."""

    def emit(self, name: str, body: str) -> None: ...
    def new_channel(self, target: Target, linkedid: str) -> Channel: ...
    def reach(self, listener: Listener, channel: Channel, target: Target) -> FarEnd: ...
    def hang(self, channel: Channel, cause: int, sip_code: int | None = None) -> None: ...
    def later_scaled(self, delay: float, act: "Act") -> Timer: ...
    def new_bridge(self) -> str: ...
    def chance(self, share: float) -> bool: ...


class Act(Protocol):
    def __call__(self) -> None: ...


class Owner(Protocol):
    """The call whose called party dialed the second leg."""

    def second_dialed(self, called: str) -> None: ...
    def second_ended(self, cause: int, sip_code: int | None) -> None: ...


class SecondLeg:
    """A channel that `first` dials. `Dial` ends when it is refused, times out or is cleared, and
    with it the call: `owner` is told the cause that its own channel then hangs up with."""

    def __init__(
        self, exchange: Exchange, owner: Owner, first: Channel, target: Target, timeout: float
    ) -> None:
        self._exchange = exchange
        self._owner = owner
        self._first = first
        self._over = False
        self.bridged = False
        self.channel = exchange.new_channel(target, first.linkedid)
        called = first.exten
        exchange.emit("Newchannel", write_channel(self.channel))
        self.channel.identify(called, first.number, first.caller_name, first.account)
        self.channel.exten = called
        self.channel.application = "AppDial"
        self._dial("DialBegin", f"DialString: {target.number}@{target.endpoint}\r\n")
        first.connected = called
        first.connected_name = first.caller_name
        owner.second_dialed(called)
        self._far = exchange.reach(self, self.channel, target)
        self._timer = exchange.later_scaled(timeout, self._time_out) if timeout > 0 else None

    def far_signalled(self, far: FarEnd, signal: Signal) -> None:
        if signal is Signal.PROGRESS:
            self._dial("DialState", "DialStatus: PROGRESS\r\n")
            return
        told_first = self._exchange.chance(0.2)
        if told_first:
            self._dial("DialState", "DialStatus: RINGING\r\n")
        self.channel.state = RINGING
        self._exchange.emit("Newstate", write_channel(self.channel))
        if not told_first:
            self._dial("DialState", "DialStatus: RINGING\r\n")

    def far_answered(self, far: FarEnd) -> None:
        self._stop_timer()
        exchange, channel = self._exchange, self.channel
        channel.state = UP
        exchange.emit("Newstate", write_channel(channel))
        channel.exten = ""
        self._dial("DialEnd", "DialStatus: ANSWER\r\n")
        bridge = exchange.new_bridge()
        self.bridged = True
        for members, member in enumerate((channel, self._first), 1):
            member.bridge = bridge
            exchange.emit("BridgeEnter", write_bridge(member, bridge, members))

    def far_refused(self, far: FarEnd) -> None:
        behaviour = far.behaviour
        self._end(behaviour.dial_status, behaviour.cause, behaviour.sip_code)
        self._owner.second_ended(behaviour.cause, behaviour.sip_code)

    def far_cleared(self, far: FarEnd) -> None:
        self._end(None, 16)
        self._owner.second_ended(16, None)

    def abandon(self) -> None:
        """The called party is gone, or we hung it up: so is this leg."""
        if not self._over:
            self._end(None if self.bridged else "CANCEL", 16)

    def drop(self, cause: int) -> None:
        """Somebody hung this leg itself up."""
        self._end(None if self.bridged else "NOANSWER", 16 if self.bridged else cause)
        self._owner.second_ended(16 if self.bridged else cause, None)

    def forget(self) -> None:
        """The whole PBX is gone: nothing more happens."""
        self._over = True
        self._stop_timer()
        self._far.leave()

    def _time_out(self) -> None:
        self._end("NOANSWER", 0)
        self._owner.second_ended(0, None)

    def _end(self, dial_status: str | None, cause: int, sip_code: int | None = None) -> None:
        if dial_status is not None:
            self._dial("DialEnd", f"DialStatus: {dial_status}\r\n")
        self.forget()
        self._exchange.hang(self.channel, cause, sip_code)

    def _dial(self, name: str, rest: str) -> None:
        self._exchange.emit(name, write_dial(self._first, self.channel) + rest)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
