"""A call is taken for ended only after two lists, or when Asterisk was restarted."""

from dialer.reconcile import CONFIRM, OpenCall, Reconciler

CALL = OpenCall("one", sent_at=0.0)


def test_a_listed_call_is_live() -> None:
    found = Reconciler().compare([CALL], frozenset({"one"}), 100.0)
    assert (found.live, found.gone, found.look_again_at) == (("one",), (), None)


def test_one_list_is_not_enough_two_are() -> None:
    reconciler = Reconciler()
    first = reconciler.compare([CALL], frozenset(), 100.0)
    assert first.gone == ()
    assert first.look_again_at == 100.0 + CONFIRM
    assert reconciler.compare([CALL], frozenset(), 102.0).gone == ()
    assert reconciler.compare([CALL], frozenset(), 105.0).gone == ("one",)


def test_a_call_that_reappears_starts_anew() -> None:
    reconciler = Reconciler()
    reconciler.compare([CALL], frozenset(), 100.0)
    reconciler.compare([CALL], frozenset({"one"}), 103.0)
    assert reconciler.compare([CALL], frozenset(), 106.0).gone == ()


def test_a_lost_link_makes_the_first_list_worthless() -> None:
    reconciler = Reconciler()
    reconciler.compare([CALL], frozenset(), 100.0)
    reconciler.link_lost()
    assert reconciler.compare([CALL], frozenset(), 106.0).gone == ()


def test_an_originate_just_written_is_not_missed_yet() -> None:
    found = Reconciler().compare([OpenCall("new", 99.5)], frozenset(), 100.0)
    assert (found.gone, found.look_again_at) == ((), None)


def test_after_a_restart_what_was_sent_before_is_over_at_once() -> None:
    calls = [CALL, OpenCall("after", 100.1)]
    found = Reconciler().compare(calls, frozenset(), 100.2, restarted_at=100.0)
    assert found.gone == ("one",)
