"""Channels and the check of new ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami.simulator.channels import Channel, Registry


def channel(uniqueid: str, name: str = "PJSIP/x-1") -> Channel:
    return Channel(name, uniqueid, uniqueid, 1.0)


@pytest.mark.parametrize(
    ("live", "wanted", "refused"),
    [
        (["dup-10"], "dup-1", True),
        (["dup-10"], "DUP-1", True),
        (["Dup-10"], "dup-10", True),
        (["dup-1"], "dup-10", False),
        (["dup-2"], "dup-1", False),
        ([], "dup-1", False),
    ],
)
def test_an_id_that_begins_a_live_one_is_refused(
    live: list[str], wanted: str, refused: bool
) -> None:
    registry = Registry()
    for uniqueid in live:
        registry.add(channel(uniqueid))
    assert registry.refuses(wanted) is refused


@given(
    st.sets(st.text("abAB12", min_size=1, max_size=4)), st.text("abAB12", min_size=1, max_size=4)
)
def test_the_check_is_the_comparison_with_every_id(live: set[str], wanted: str) -> None:
    registry = Registry()
    for number, uniqueid in enumerate(sorted(live)):
        registry.add(channel(uniqueid, f"PJSIP/x-{number}"))
    expected = any(uniqueid.lower().startswith(wanted.lower()) for uniqueid in live)
    assert registry.refuses(wanted) is expected


def test_removal_happens_once_and_frees_the_id() -> None:
    registry = Registry()
    first = channel("one")
    registry.add(first)
    registry.add(channel("two", "PJSIP/x-2"))
    assert registry.find("one") is registry.find("PJSIP/x-1") is first
    assert registry.remove(first)
    assert not registry.remove(first)
    assert registry.find("one") is None
    assert not registry.refuses("one")
    assert (len(registry), registry.most, registry.created) == (1, 2, 2)
    assert [live.uniqueid for live in registry] == ["two"]
    registry.clear()
    assert len(registry) == 0
