"""The defaults are the lab's."""

from ami.simulator.config import FILTERED, AmiUser, SimulatorConfig
from ami.translate import WANTED


def test_the_filter_lets_through_all_that_is_read() -> None:
    names = {entry.partition(":")[0] for entry in WANTED}
    assert names - {"Dial"} <= FILTERED  # Dial: before Asterisk 12


def test_the_default_user_has_the_least_privilege() -> None:
    user = AmiUser()
    assert user.write == {"originate", "call", "reporting"}
    assert "dialer-lab" not in repr(user)


def test_the_lab_has_an_unfiltered_user_too() -> None:
    assert [user.events is None for user in SimulatorConfig().users] == [False, True]
