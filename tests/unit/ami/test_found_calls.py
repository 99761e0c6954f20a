"""Events that are given to the call that they were found to be of."""

import pytest

from ami.calls import CallTracker
from ami.events import OriginateAnswered, ServerBooted, ServerShutdown
from ami.reports import CallEffect
from tests.unit.ami.sequences import ACTION, CALL, START
from tests.unit.ami.test_calls import OUTCOMES, track


@pytest.mark.parametrize("name", OUTCOMES)
def test_they_tell_what_they_tell_when_it_is_looked_for(name: str) -> None:
    events, cancel, *_ = OUTCOMES[name]
    tracker = CallTracker()
    tracker.begin(CALL, ACTION, START - 0.5, 0.0)
    if cancel:
        tracker.cancelling(CALL)
    told: list[CallEffect] = []
    for event in events:
        if isinstance(event, OriginateAnswered | ServerBooted | ServerShutdown):
            told += tracker.apply(event, 1.0)
        else:
            found = tracker.find(event)
            assert found == CALL
            told += tracker.apply_to(found, event, 1.0)
    looked_for, effects = track(events, cancel=cancel)
    assert told == effects
    assert list(tracker.open_calls()) == list(looked_for.open_calls())
