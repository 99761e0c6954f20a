"""Events are values: frozen, comparable, with Asterisk's raw word beside the translated one."""

import dataclasses
from typing import get_args

import pytest

from ami.events import ChannelEvent, ChannelState, ChannelStateChanged, Event


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_is_frozen_slotted_and_timed(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert dataclasses.fields(kind)[0].name == "at"
    assert "__slots__" in vars(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_channel_events_are_events() -> None:
    assert set(get_args(ChannelEvent)) < set(get_args(Event))


def test_events_cannot_be_changed() -> None:
    event = ChannelStateChanged(1.0, "u", None, "c", ChannelState.UP, "Up")
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.at = 2.0  # type: ignore[misc]
    assert event == ChannelStateChanged(1.0, "u", None, "c", ChannelState.UP, "Up")
