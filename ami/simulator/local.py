"""A call through a Local channel: two halves, and the leg that the dialplan dials behind them.

As with `/n` always: the halves stay for the whole call. The caller's half `;1` carries our
ChannelId; the dialplan runs on `;2` and dials the number at the context's endpoint.
"""

from ami.simulator.channels import RING, RINGING, UP, Channel
from ami.simulator.dialogue import Dialogue, Exchange
from ami.simulator.farend import FarEnd
from ami.simulator.pages import write_bridge, write_channel, write_dial
from ami.simulator.plan import Signal
from ami.simulator.requests import Originate, Target


class LocalDialogue(Dialogue):
    """`target` is the Local channel's, `outer` what its context dials, None where there is no
    such context."""

    def __init__(
        self,
        exchange: Exchange,
        request: Originate,
        halves: tuple[Channel, Channel],
        target: Target,
        outer: Target | None,
    ) -> None:
        super().__init__(exchange, request, halves[0], target)
        self._half = halves[1]
        self._outer = outer
        self._leg: Channel | None = None

    def begin(self) -> None:
        own, half, request = self.own, self._half, self.request
        for channel in (own, half):
            channel.context, channel.exten = self.target.endpoint, self.target.number
        half.state = RING
        self.exchange.emit("Newchannel", write_channel(own))
        self.exchange.emit("Newchannel", write_channel(half))
        for channel in (own, half):
            channel.identify(request.number, request.number, request.caller_name, request.account)
        if self._outer is None:
            self.exchange.hang(half, 0)
            self.respond(0)
            self.exchange.hang(own, 0)
            self._end()
            return
        self.dial_event("DialBegin", f"DialString: {request.channel.partition('/')[2]}")
        self._dial_outer(self._outer)

    def _dial_outer(self, outer: Target) -> None:
        if not self.exchange.reachable(outer):
            self._finish("NOANSWER", 3, None, reason=0)
            return
        own, half = self.own, self._half
        leg = self._leg = self.exchange.new_channel(outer, own.linkedid)
        self.exchange.emit("Newchannel", write_channel(leg))
        leg.identify(outer.number, half.number, half.caller_name, half.account)
        leg.exten, leg.application = outer.number, "AppDial"
        self._leg_event("DialBegin", f"DialString: {outer.number}@{outer.endpoint}")
        half.connected = own.number = outer.number
        half.application, half.data = "Dial", f"PJSIP/{outer.number}@{outer.endpoint},60"
        self.far = self.exchange.reach(self, leg, outer)
        self.start_timer()

    def far_signalled(self, far: FarEnd, signal: Signal) -> None:
        status = f"DialStatus: {signal.value}"
        if signal is Signal.RINGING:
            self.set_state(far.channel, RINGING)
            self.set_state(self.own, RINGING)
        self._leg_event("DialState", status)
        self.dial_event("DialState", status)

    def come_up(self) -> None:
        leg = self._leg
        if leg is None:
            return
        self.set_state(leg, UP)
        leg.exten = ""
        self._leg_event("DialEnd", "DialStatus: ANSWER")
        self.set_state(self._half, UP)
        self.set_state(self.own, UP)
        self.dial_event("DialEnd", "DialStatus: ANSWER")
        bridge = self.exchange.new_bridge()
        for members, member in enumerate((leg, self._half), 1):
            member.bridge = bridge
            self.exchange.emit("BridgeEnter", write_bridge(member, bridge, members))

    def hang_first(self, cause: int, sip_code: int | None, *, cleared: bool = False) -> None:
        self._leave_far()
        if cleared:
            self._hang_leg(16, None)
            self.exchange.hang(self._half, 16)
            self.exchange.hang(self.own, 16)
            return
        self.exchange.hang(self.own, cause)
        self.exchange.hang(self._half, cause or 16)
        self._hang_leg(16, None)

    def second_dialed(self, called: str) -> None:
        self._half.number = called
        if self._leg is not None:
            self._leg.connected = called

    def far_refused(self, far: FarEnd) -> None:
        behaviour = far.behaviour
        self._leg_event("DialEnd", f"DialStatus: {behaviour.dial_status}")
        self._hang_leg(behaviour.cause, behaviour.sip_code)
        self._half.priority = 2  # the dialplan's Hangup(${HANGUPCAUSE})
        self.exchange.hang(self._half, behaviour.cause)
        super().far_refused(far)

    def give_up(self, cause: int) -> None:
        self._leg_event("DialEnd", "DialStatus: CANCEL")
        self._hang_leg(16, None)
        self.exchange.hang(self._half, cause)
        super().give_up(cause)

    def hang_timed_out(self) -> None:
        self._leave_far()
        self._leg_event("DialEnd", "DialStatus: CANCEL")
        self.respond(3)
        self.exchange.hang(self._half, 19)
        self.exchange.hang(self.own, 19)
        self._hang_leg(19, 480)

    def _leg_event(self, name: str, line: str) -> None:
        if self._leg is not None:
            self.exchange.emit(name, f"{write_dial(self._half, self._leg)}{line}\r\n")

    def _hang_leg(self, cause: int, sip_code: int | None) -> None:
        if self._leg is not None:
            self.exchange.hang(self._leg, cause, sip_code)
