"""The far end alone, on a clock of its own."""

from collections.abc import Callable

from ami.simulator.channels import Channel
from ami.simulator.farend import REACTION, CarrierCall, FarEnd
from ami.simulator.plan import SILENCE, Behaviour, Signal, find_behaviour
from ami.simulator.timers import Timer


class Stage:
    """A switch with its own clock, and a listener that notes what it is told."""

    def __init__(self) -> None:
        self.time = 0.0
        self.told: list[tuple[float, str]] = []
        self._due: list[tuple[float, Timer]] = []

    def later(self, delay: float, act: Callable[[], None]) -> Timer:
        timer = Timer(act)
        self._due.append((self.time + delay, timer))
        return timer

    def scaled(self, seconds: float) -> float:
        return seconds * 10

    def now(self) -> float:
        return self.time

    def run(self, until: float) -> None:
        while due := [entry for entry in self._due if entry[0] <= until and entry[1].act]:
            entry = min(due, key=lambda entry: entry[0])
            self._due.remove(entry)
            self.time = entry[0]
            if entry[1].act is not None:
                entry[1].act()
        self.time = until

    def far_signalled(self, far: FarEnd, signal: Signal) -> None:
        self.told.append((round(self.time, 3), signal.value))

    def far_answered(self, far: FarEnd) -> None:
        self.told.append((round(self.time, 3), "answered"))

    def far_refused(self, far: FarEnd) -> None:
        self.told.append((round(self.time, 3), "refused"))

    def far_cleared(self, far: FarEnd) -> None:
        self.told.append((round(self.time, 3), "cleared"))


def reach(stage: Stage, behaviour: Behaviour) -> tuple[FarEnd, CarrierCall]:
    line = CarrierCall("9000", "carrier", "call", 0.0)
    return FarEnd(stage, stage, Channel("PJSIP/x", "u", "u", 0.0), behaviour, line), line


def test_answers_and_clears() -> None:
    stage = Stage()
    far, line = reach(stage, find_behaviour("00"))
    stage.run(100)
    assert stage.told == [(REACTION, "RINGING"), (2.001, "answered"), (22.001, "cleared")]
    assert far.answered
    assert line.did == "answer"
    assert (line.answered_at, line.ended_at) == (2.001, 22.001)


def test_refuses_at_once() -> None:
    stage = Stage()
    _, line = reach(stage, find_behaviour("01"))
    stage.run(100)
    assert stage.told == [(REACTION, "refused")]
    assert (line.did, line.answered_at, line.ended_at) == ("busy", None, REACTION)


def test_given_up_before_it_answered() -> None:
    stage = Stage()
    far, line = reach(stage, find_behaviour("06"))
    stage.run(10)
    far.leave()
    far.leave()
    stage.run(1000)
    assert stage.told == [(REACTION, "RINGING")]
    assert (line.did, line.ended_at) == ("ring", 10)


def test_left_while_it_talked() -> None:
    stage = Stage()
    far, line = reach(stage, find_behaviour("07"))
    stage.run(10)
    far.leave()
    stage.run(1000)
    assert stage.told[-1][1] == "answered"
    assert (line.did, line.ended_at) == ("answer", 10)


def test_a_dead_trunk_says_nothing() -> None:
    stage = Stage()
    reach(stage, SILENCE)
    stage.run(1000)
    assert stage.told == []
