"""The slots that are held, freed, swept and put back."""

from dialer.coordination.contract import HeldSlot
from dialer.coordination.ledger import Ledger, Slot


def make_ledger() -> Ledger:
    ledger = Ledger()
    ledger.add("a", Slot(1, 10))
    ledger.add("b", Slot(1, 11))
    ledger.add("c", Slot(2, 10))
    return ledger


def test_a_freed_slot_leaves_until_redis_confirms() -> None:
    ledger = make_ledger()
    assert ledger.free("a") == 1
    assert ledger.free("a") is None, "once is enough"
    assert ledger.free("never") is None
    assert ledger.leaving == {"a": 1}
    ledger.arrived(["a", "b"])
    assert ledger.leaving == {}
    assert set(ledger.held) == {"b", "c"}


def test_what_is_in_doubt_is_freed() -> None:
    ledger = Ledger()
    ledger.doubt("x", 3)
    assert ledger.leaving == {"x": 3}


def test_what_is_granted_again_is_not_freed_any_more() -> None:
    ledger = Ledger()
    ledger.doubt("x", 3)
    ledger.add("x", Slot(3, 10))
    assert ledger.leaving == {}


def test_a_server_that_is_taken_over_brings_its_calls() -> None:
    ledger = make_ledger()
    ledger.doubt("y", 1)
    ledger.adopt(1, [HeldSlot(12, 1, "y", 0.0), HeldSlot(10, 1, "a", 0.0)])
    assert ledger.adopted == {1}
    assert ledger.leaving == {}, "it is live after all"
    assert set(ledger.held) == {"a", "b", "c", "y"}


def test_a_server_that_is_lost_takes_its_slots_along_without_freeing_them() -> None:
    ledger = make_ledger()
    ledger.adopt(1, [])
    ledger.free("b")
    ledger.doubt("other", 2)
    ledger.drop(1)
    assert set(ledger.held) == {"c"}
    assert ledger.leaving == {"other": 2}, (
        "what was freed there before is the next owner's to judge"
    )
    assert ledger.adopted == set()


def test_what_redis_has_too_much_and_what_it_lacks() -> None:
    ledger = make_ledger()
    difference = ledger.compare(1, {"a": 10, "stray": 9, "coming": 9}, {"coming"})
    assert difference.strays == ("stray",)
    assert difference.missing == {"b": Slot(1, 11)}
