"""Durations stay what they were when a clock is set in mid-call."""

from dataclasses import replace

import pytest

from ami import CallEnded, CallProgressed, LegB, Progress
from dialer.timeline import STEP, Timeline
from tests.unit.dialer.builders import make_report


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_is_taken_out_of_stamps_and_put_into_the_report(step: float) -> None:
    line = Timeline()
    started = line.steady(1000.0, 50.0)
    answered = line.steady(1003.0, 53.0)
    ended = line.steady(1010.0 + step, 60.0)
    assert (started, answered, ended) == (1000.0, 1003.0, 1010.0)
    leg = LegB(answered_at=answered, ended_at=None)
    report = replace(
        make_report(), started_at=started, answered_at=answered, ended_at=ended, leg_b=leg
    )
    effect = line.restore(CallEnded(report))
    assert isinstance(effect, CallEnded)
    told = effect.report
    assert (told.started_at, told.answered_at, told.ended_at) == (
        *(1000.0 + step, 1003.0 + step, 1010.0 + step),
    )
    assert told.leg_b == LegB(answered_at=1003.0 + step, ended_at=None)
    progress = line.restore(CallProgressed("chan-1", Progress.ANSWERED, answered))
    assert progress == CallProgressed("chan-1", Progress.ANSWERED, 1003.0 + step)


def test_late_stamps_and_a_clock_that_drifts_are_no_steps() -> None:
    line = Timeline()
    stamps = [(1000.0, 50.0), (1001.0, 51.0 + STEP / 2), (1100.0 + STEP / 3, 52.0 + STEP / 2)]
    assert [line.steady(at, now) for at, now in stamps] == [at for at, _ in stamps]
    effect = CallEnded(make_report())
    assert line.restore(effect) is effect


def test_a_clock_that_is_set_there_and_back_leaves_nothing() -> None:
    line = Timeline()
    seen = [line.steady(1000.0 + now + moved, now) for now, moved in ((0, 0), (1, 3600), (2, 0))]
    assert seen == [1000.0, 1001.0, 1002.0]
    assert line.moved == 0.0
