"""The simulated PBX and its carrier: channels, calls, their log, and who hears of them."""

import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from ami.simulator.channels import UNKNOWN, Channel, Registry
from ami.simulator.config import SimulatorConfig
from ami.simulator.dialogue import Dialogue, write_response
from ami.simulator.farend import CarrierCall, FarEnd, Listener
from ami.simulator.local import LocalDialogue
from ami.simulator.pages import write_call_id, write_event, write_hangup
from ami.simulator.plan import CONGESTION, SILENCE, Behaviour, find_behaviour
from ami.simulator.recording import Recorded, run_dialplan
from ami.simulator.requests import Headers, Originate, Target, read_target, refuse_originate
from ami.simulator.secondleg import SecondLeg
from ami.simulator.timers import Timer, Timers


class Call(Protocol):
    """A call that was originated."""

    def hang_up(self, channel: Channel, cause: int | None) -> None: ...
    def stop(self) -> None: ...
    def forget(self) -> None: ...


class Exchange:
    """Runs calls and tells `hear(name, bytes)` each event. `clock` is epoch seconds."""

    def __init__(
        self,
        config: SimulatorConfig,
        hear: Callable[[str, bytes], None],
        began: Callable[[], None] = lambda: None,
    ) -> None:
        """`began` is called after each Originate that was taken."""
        self.config = config
        self.channels = Registry()
        self.lines: deque[CarrierCall] = deque(maxlen=config.log_size)
        self.originates = 0
        self.answered = 0
        self.ids_refused = 0
        self.most_calls = 0
        self.started_at = config.clock()
        self._hear = hear
        self._began = began
        self._timers = Timers()
        self._dialogues: dict[str, Call] = {}
        # Chance decides only orders that Asterisk leaves open; repeatable, and no secret.
        self._random = random.Random(config.seed)  # noqa: S311
        self._call_ids = random.Random(config.seed)  # noqa: S311
        self._named = 0
        self._local_named = 0
        self._numbered = 0
        self._arrivals: deque[float] = deque()

    # -- what AMI asks for

    @property
    def live_calls(self) -> int:
        return len(self._dialogues)

    @property
    def queue_member(self) -> str:
        return self.config.queue_member

    def record(self, variables: Mapping[str, str]) -> Recorded:
        """The operator's recording dialplan, with a call's variables."""
        return run_dialplan(variables, self.config.recordings, self.config.recording_profiles)

    def refuse(self, headers: Headers) -> str | None:
        """Why an Originate is answered with an Error, None where it is not."""
        return refuse_originate(headers, self.config.recording_contexts)

    def originate(self, request: Originate) -> None:
        """Start the call, or tell by its OriginateResponse alone that there is none."""
        self.originates += 1
        self._place(request)
        self._began()

    def _place(self, request: Originate) -> None:
        uniqueid = request.channel_id
        if self._refuse_id(request):
            return
        target = read_target(request.channel)
        if target is None or not self._makes_channel(target):
            write_response(self, request, request.channel, 0, uniqueid or UNKNOWN)
            return
        dialogue = self._new_dialogue(request, target)
        self._hold(dialogue.own.uniqueid, dialogue)
        dialogue.begin()

    def _hold(self, channel_id: str, call: Call) -> None:
        """The call lives from now on."""
        self._dialogues[channel_id] = call
        self.most_calls = max(self.most_calls, len(self._dialogues))

    def _refuse_id(self, request: Originate) -> bool:
        """Whether the id of the call is in use: then its OriginateResponse was all."""
        uniqueid = request.channel_id
        refused = bool(uniqueid) and self.channels.refuses(uniqueid)
        if refused:
            self.ids_refused += 1
            write_response(self, request, request.channel, 0, uniqueid)
        return refused

    def hang_up(self, name_or_id: str, cause: int | None) -> bool:
        """AMI's Hangup; False where there is no such channel."""
        channel = self.channels.find(name_or_id)
        if channel is None:
            return False
        dialogue = self._dialogues.get(channel.linkedid)
        if dialogue is not None:
            dialogue.hang_up(channel, cause)
        return True

    def stop(self) -> None:
        """`core stop now`: every call ends with its Hangup and OriginateResponse."""
        for dialogue in list(self._dialogues.values()):
            dialogue.stop()

    def forget(self) -> None:
        """Killed: every call is gone without a word."""
        for dialogue in self._dialogues.values():
            dialogue.forget()
        self._dialogues.clear()
        self.channels.clear()
        self._timers.clear()
        self.started_at = self.now()

    # -- what calls need

    def emit(self, name: str, body: str, privilege: str = "call,all") -> None:
        self._hear(name, write_event(name, self.config.clock(), body, privilege).encode())

    def now(self) -> float:
        return self.config.clock()

    def scaled(self, seconds: float) -> float:
        return seconds * self.config.scale

    def later(self, delay: float, act: Callable[[], None]) -> Timer:
        return self._timers.after(delay, act)

    def later_scaled(self, delay: float, act: Callable[[], None]) -> Timer:
        return self._timers.after(self.scaled(delay), act)

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def new_bridge(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new_channel(self, target: Target, linkedid: str, uniqueid: str | None = None) -> Channel:
        """A live channel towards `target`; `linkedid` '' makes it the first of its call."""
        now = self.now()
        self._named += 1
        name = f"{target.tech}/{target.endpoint}-{self._named - 1:08x}"
        channel = self._add(name, uniqueid or self._new_id(now), linkedid, now)
        if target.tech == "PJSIP":
            call_id = uuid.UUID(int=self._call_ids.getrandbits(128), version=4)
            channel.sip_call_id = str(call_id)
        return channel

    def reachable(self, target: Target | None) -> bool:
        """Whether dialing `target` makes a channel."""
        if target is None or target.tech != "PJSIP":
            return False
        known = self.config.endpoints
        return "*" in known or target.endpoint in known | self.config.dead_endpoints

    def reach(self, listener: Listener, channel: Channel, target: Target) -> FarEnd:
        """The far end of `channel`, by the number table, or 503 above the carrier's capacity."""
        line = CarrierCall(
            target.number,
            target.endpoint,
            channel.linkedid,
            self.now(),
            sip_call_id=channel.sip_call_id,
        )
        if target.endpoint not in self.config.dead_endpoints:
            self.lines.append(line)
        behaviour = self._choose_behaviour(target, isinstance(listener, SecondLeg))
        return FarEnd(self, listener, channel, behaviour, line)

    def hang(self, channel: Channel, cause: int, sip_code: int | None = None) -> None:
        """The channel's Hangup, once."""
        if self.channels.remove(channel):
            if self.config.call_ids and channel.sip_call_id:
                self.emit("UserEvent", write_call_id(channel), "user,all")
            self.emit("Hangup", write_hangup(channel, cause, sip_code))

    def call_answered(self) -> None:
        self.answered += 1

    def call_over(self, channel_id: str) -> None:
        self._dialogues.pop(channel_id, None)

    # -- the parts

    def _makes_channel(self, target: Target) -> bool:
        return target.tech == "Local" or self.reachable(target)

    def _new_dialogue(self, request: Originate, target: Target) -> Dialogue:
        uniqueid = request.channel_id or None
        if target.tech != "Local":
            own = self.new_channel(target, "", uniqueid)
            return Dialogue(self, request, own, target)
        now = self.now()
        name = f"Local/{target.number}@{target.endpoint}-{self._local_named:08x}"
        self._local_named += 1
        own = self._add(f"{name};1", uniqueid or self._new_id(now), "", now)
        other = f"{uniqueid};2" if uniqueid else self._new_id(now)
        half = self._add(f"{name};2", other, own.uniqueid, now)
        endpoint = self.config.local_contexts.get(target.endpoint)
        outer = Target("PJSIP", target.number, endpoint) if endpoint else None
        return LocalDialogue(self, request, (own, half), target, outer)

    def _add(self, name: str, uniqueid: str, linkedid: str, now: float) -> Channel:
        channel = Channel(name, uniqueid, linkedid or uniqueid, now)
        self.channels.add(channel)
        return channel

    def _new_id(self, now: float) -> str:
        self._numbered += 1
        return f"{int(now)}.{self._numbered}"

    def _choose_behaviour(self, target: Target, second: bool) -> Behaviour:
        if target.endpoint in self.config.dead_endpoints:
            return SILENCE
        if self._is_full():
            return CONGESTION
        if self.config.far_end is not None:
            return self.config.far_end(target.number, second)
        return find_behaviour(target.number)

    def _is_full(self) -> bool:
        config = self.config
        if config.max_cps is not None:
            now = self.now()
            self._arrivals.append(now)
            while self._arrivals[0] <= now - 1.0:
                self._arrivals.popleft()
            if len(self._arrivals) > config.max_cps:
                return True
        return config.max_calls is not None and len(self._dialogues) > config.max_calls
