"""Values that are made quickly are what dataclasses makes of the same fields."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest

from ami.frozen import quicken


@quicken
@dataclass(frozen=True, slots=True)
class Quick:
    at: float
    name: str | None
    live: bool = False


@quicken
@dataclass(frozen=True, slots=True)
class Other:
    at: float
    name: str | None
    live: bool = False


def test_it_is_equal_by_class_and_fields() -> None:
    one = Quick(1.0, "a")
    assert one == Quick(at=1.0, name="a", live=False)
    assert hash(one) == hash(Quick(1.0, "a"))
    assert one != Quick(1.0, "a", True)
    assert one != Other(1.0, "a")  # type: ignore[comparison-overlap]
    assert type(one) is Quick
    assert repr(one) == "Quick(at=1.0, name='a', live=False)"


def test_it_cannot_be_changed() -> None:
    one = Quick(1.0, "a")
    with pytest.raises(FrozenInstanceError):
        one.at = 2.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del one.name
    assert not hasattr(one, "__dict__")
    assert one == Quick(1.0, "a")


def test_it_is_replaced_and_copied() -> None:
    one = Quick(1.0, "a", live=True)
    assert replace(one, at=2.0) == Quick(2.0, "a", live=True)
    assert [field.name for field in fields(one)] == ["at", "name", "live"]
    for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert again == one
        assert type(again) is Quick


def test_it_is_made_of_its_fields_alone() -> None:
    assert str(inspect.signature(Quick)) == "(at: float, name: str | None, live: bool = False)"
    with pytest.raises(TypeError, match="name"):
        Quick(1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="more"):
        Quick(1.0, "a", more=1)  # type: ignore[call-arg]
