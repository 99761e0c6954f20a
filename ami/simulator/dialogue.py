"""One originated call on the simulated Asterisk: its events from Newchannel to the last Hangup.

The sequences are those of the captures. Where Asterisk leaves the order of two threads to chance
(OriginateResponse beside DialEnd and Hangup, the channel's state beside the dial's) so does this,
by the exchange's seeded chance.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from ami.simulator.channels import RINGING, UP, Channel
from ami.simulator.farend import FarEnd, Listener
from ami.simulator.pages import (
    write_action_id,
    write_bridge,
    write_channel,
    write_dial,
    write_recording,
)
from ami.simulator.plan import Signal
from ami.simulator.recording import REFUSED, Recorded
from ami.simulator.requests import Originate, Target, read_target
from ami.simulator.secondleg import SecondLeg
from ami.simulator.timers import Timer

# Of 150 busy calls OriginateResponse came after Hangup in 21.
_HANGUP_FIRST: Final = 0.14
_RESPONSE_FIRST: Final = 0.3
_DIAL_STATE_FIRST: Final = 0.3
_BEEP: Final = 0.44  # Playback(beep) as captured
_DIAL_TIMEOUT: Final = 136_000.0  # app_dial's own default, as good as none
_NO_ROUTE: Final = (3, 404)  # Dial to an endpoint that cannot be reached, as captured


class Exchange(Protocol):
    """What a call needs of the exchange."""

    def emit(self, name: str, body: str, privilege: str = "call,all") -> None: ...
    def new_channel(
        self, target: Target, linkedid: str, uniqueid: str | None = None
    ) -> Channel: ...
    def reach(self, listener: Listener, channel: Channel, target: Target) -> FarEnd: ...
    def reachable(self, target: Target | None) -> bool: ...
    def hang(self, channel: Channel, cause: int, sip_code: int | None = None) -> None: ...
    def later(self, delay: float, act: Callable[[], None]) -> Timer: ...
    def later_scaled(self, delay: float, act: Callable[[], None]) -> Timer: ...
    def new_bridge(self) -> str: ...
    def chance(self, share: float) -> bool: ...
    def record(self, variables: Mapping[str, str]) -> Recorded: ...
    def call_answered(self) -> None: ...
    def call_over(self, channel_id: str) -> None: ...
    @property
    def queue_member(self) -> str: ...


class Dialogue:
    """A call straight to an endpoint; a Local channel's differs in what it overrides."""

    def __init__(
        self, exchange: Exchange, request: Originate, own: Channel, target: Target
    ) -> None:
        self.exchange = exchange
        self.request = request
        self.own = own
        self.target = target
        self.answered = False
        self.second: SecondLeg | None = None
        self.far: FarEnd | None = None
        self._timer: Timer | None = None
        self._over = False

    # -- the far end of the called party

    def begin(self) -> None:
        """From Newchannel to the dial, and the clock of the Originate's Timeout."""
        self.exchange.emit("Newchannel", write_channel(self.own))
        self._identify(self.own)
        self.dial_event("DialBegin", f"DialString: {self.target.number}@{self.target.endpoint}")
        self.far = self.exchange.reach(self, self.own, self.target)
        self.start_timer()

    def start_timer(self) -> None:
        if self.request.timeout is not None:
            self._timer = self.exchange.later(self.request.timeout, self._time_out)

    def far_signalled(self, far: FarEnd, signal: Signal) -> None:
        if signal is Signal.PROGRESS:
            self.dial_event("DialState", "DialStatus: PROGRESS")
            return
        told_first = self.exchange.chance(_DIAL_STATE_FIRST)
        if told_first:
            self.dial_event("DialState", "DialStatus: RINGING")
        self.set_state(self.own, RINGING)
        if not told_first:
            self.dial_event("DialState", "DialStatus: RINGING")

    def far_answered(self, far: FarEnd) -> None:
        self._stop_timer()
        self.answered = True
        self.exchange.call_answered()
        if self.exchange.chance(_RESPONSE_FIRST):
            self.respond(4)
            self.come_up()
        else:
            self.come_up()
            self.respond(4)
        self._run_application()

    def far_refused(self, far: FarEnd) -> None:
        behaviour = far.behaviour
        self._finish(behaviour.dial_status, behaviour.cause, behaviour.sip_code, reason=0)

    def far_cleared(self, far: FarEnd) -> None:
        """The called party hung up: with it whatever it had dialed."""
        self._stop_timer()
        if self.second is not None and not self.second.bridged:
            self.second.abandon()
        self.hang_first(16, None, cleared=True)
        if self.second is not None:
            self.second.abandon()
        self._end()

    # -- our own side

    def hang_up(self, channel: Channel, cause: int | None) -> None:
        """AMI's Hangup of one of the call's channels."""
        if self.second is not None and channel is self.second.channel:
            self.second.drop(cause or 0)
        elif self.answered:
            bridged = self.second is not None and self.second.bridged
            if self.second is not None and not bridged:
                self.second.abandon()
            self.hang_first(cause or (16 if bridged else 0), None)
            if self.second is not None:
                self.second.abandon()
            self._end()
        else:
            self.give_up(cause or 0)

    def give_up(self, cause: int) -> None:
        """Our hangup while it rang."""
        self._finish("NOANSWER", cause, None, reason=0)

    def second_dialed(self, called: str) -> None:
        """The second leg is being dialed as `called`: a Local channel passes that on."""

    def second_ended(self, cause: int, sip_code: int | None) -> None:
        bridged = self.second is not None and self.second.bridged
        if self._is_recorded and not bridged:  # Dial returned: the dialplan's Hangup(HANGUPCAUSE)
            self.own.priority = 2
            cause = cause or 16
        self.hang_first(cause, sip_code)
        self._end()

    def stop(self) -> None:
        """The PBX stops now: every channel hangs up, an open Originate fails."""
        if self.second is not None:
            self.second.abandon()
        if self.answered:
            self.hang_first(0, None)
            self._end()
        else:
            self.give_up(0)

    def forget(self) -> None:
        """The PBX is gone without a word."""
        self._stop_timer()
        self._over = True
        if self.second is not None:
            self.second.forget()
        if self.far is not None:
            self.far.leave()

    # -- what a Local channel does otherwise

    def dial_event(self, name: str, *rest: str) -> None:
        """An event of the originate's own dial, which names its destination only."""
        body = "".join(f"{line}\r\n" for line in rest)
        self.exchange.emit(name, write_dial(None, self.own) + body)

    def come_up(self) -> None:
        self.set_state(self.own, UP)
        self.dial_event("DialEnd", "DialStatus: ANSWER")

    def hang_first(self, cause: int, sip_code: int | None, *, cleared: bool = False) -> None:
        """Hang up the called party's side; `cleared`: by itself."""
        self._leave_far()
        self.exchange.hang(self.own, cause, sip_code)

    def hang_timed_out(self) -> None:
        """Our Timeout ran out: no DialEnd, and a 480 that Asterisk makes up."""
        self._leave_far()
        self.respond(3)
        self.exchange.hang(self.own, 19, 480)

    # -- the parts

    def set_state(self, channel: Channel, state: int) -> None:
        channel.state = state
        self.exchange.emit("Newstate", write_channel(channel))

    def respond(self, reason: int) -> None:
        """OriginateResponse; its Channel is the requested one where nothing was answered."""
        request = self.request
        name = self.own.name if reason == 4 else request.channel
        write_response(self.exchange, request, name, reason, self.own.uniqueid)

    def _identify(self, channel: Channel) -> None:
        request = self.request
        channel.identify(request.number, request.number, request.caller_name, request.account)

    def _time_out(self) -> None:
        self._timer = None
        self.hang_timed_out()
        self._end()

    def _finish(self, dial_status: str, cause: int, sip_code: int | None, reason: int) -> None:
        """The end of a call that was not answered, in one of the orders seen."""
        self._stop_timer()
        response_at = 2 if self.exchange.chance(_HANGUP_FIRST) else 1
        if self.exchange.chance(_RESPONSE_FIRST):
            response_at = 0
        steps: list[Callable[[], None]] = [
            lambda: self.dial_event("DialEnd", f"DialStatus: {dial_status}"),
            lambda: self.hang_first(cause, sip_code),
        ]
        steps.insert(response_at, lambda: self.respond(reason))
        for step in steps:
            step()
        self._end()

    def _run_application(self) -> None:
        request, own = self.request, self.own
        name, data = request.application, request.data
        if self._is_recorded:
            name, data = self._record(), request.variables.get("DIALER_DATA", "")
            if not name:
                self.hang_first(*REFUSED)
                self._end()
                return
        own.application, own.data = name, data
        match name.lower():
            case "dial":
                self._dial(data)
            case "queue":
                self._dial(self.exchange.queue_member)
            case "wait":
                self._timer = self.exchange.later_scaled(_seconds(data), self._application_ended)
            case "playback":
                self._timer = self.exchange.later_scaled(_BEEP, self._application_ended)
            case "confbridge":
                own.bridge = self.exchange.new_bridge()
                room = data.partition(",")[0]
                self.exchange.emit("BridgeEnter", write_bridge(own, own.bridge, 1, room))
            case "echo" | "musiconhold":
                pass  # until somebody hangs up
            case _:
                self._application_ended()

    @property
    def _is_recorded(self) -> bool:
        """The Exten path: the operator's recording context runs the application."""
        return not self.request.application

    def _record(self) -> str:
        """The dialplan up to its application, whose name it gives; '' where it hangs up."""
        recorded, own = self.exchange.record(self.request.variables), self.own
        if recorded.file is not None:
            own.context, own.exten = "dialer-recorded", "s"
            self.exchange.emit("UserEvent", write_recording(own, recorded.file), "user,all")
        own.context, own.exten, own.priority = recorded.place
        return recorded.application

    def _dial(self, data: str) -> None:
        dial_string, *rest = data.split(",")
        target = read_target(dial_string.partition("&")[0])
        if target is None or not self.exchange.reachable(target):
            self.second_ended(*_NO_ROUTE)
            return
        timeout = _seconds(rest[0]) if rest and rest[0] else _DIAL_TIMEOUT
        self.second = SecondLeg(self.exchange, self, self.own, target, timeout)

    def _application_ended(self) -> None:
        """The called party's side is hung up by us: cause 0, but 16 by a dialplan's Hangup()."""
        self._timer = None
        if self._is_recorded:
            self.own.priority = 2
        self.hang_first(16 if self._is_recorded else 0, None)
        self._end()

    def _leave_far(self) -> None:
        if self.far is not None:
            self.far.leave()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._stop_timer()
            self.exchange.call_over(self.own.uniqueid)


def write_response(
    exchange: Exchange, request: Originate, channel: str, reason: int, uniqueid: str
) -> None:
    """Emit the OriginateResponse of `request`."""
    if request.application:
        what = f"Application: {request.application}\r\nData: {request.data}\r\n"
    else:
        what = f"Context: {request.context}\r\nExten: {request.exten}\r\n"
    exchange.emit(
        "OriginateResponse",
        f"{write_action_id(request.action_id)}"
        f"Response: {'Success' if reason == 4 else 'Failure'}\r\n"
        f"Channel: {channel}\r\n{what}Reason: {reason}\r\nUniqueid: {uniqueid}\r\n"
        f"CallerIDNum: {request.number}\r\nCallerIDName: {request.caller_name}\r\n",
    )


def _seconds(text: str) -> float:
    """The seconds of an application's argument; what is no number is none."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
