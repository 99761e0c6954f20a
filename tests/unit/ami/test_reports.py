"""What the tracker tells, as values."""

import dataclasses

import pytest

from ami.reports import CallReport, LegB, OpenCall, Progress


def test_stages_stand_in_their_order() -> None:
    assert list(Progress) == ["started", "ringing", "answered", "bridged"]


@pytest.mark.parametrize("kind", [CallReport, LegB, OpenCall])
def test_reports_are_frozen_and_slotted(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)


def test_a_leg_b_of_which_nothing_is_known() -> None:
    assert set(dataclasses.asdict(LegB()).values()) == {None}
