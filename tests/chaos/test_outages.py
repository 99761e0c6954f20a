"""Outages of an Asterisk: their order, what counts as a break, and what is told of them."""

from dataclasses import astuple, replace
from pathlib import Path

import pytest

from chaos.checker import unanswered_at_kills
from chaos.outages.__main__ import describe_outages
from chaos.outages.asterisk import Ports, find_root, write_configuration
from chaos.outages.course import Suffered, count_breaks, deal
from chaos.outages.harm import Outage
from chaos.outages.reasons import Reason, check_reasons, describe_reasons
from chaos.outages.recovery import find_lives
from chaos.outages.storm import POINTS
from chaos.records import Kill, Login, Loss, Originate
from dialer.failpoints import POINTS as FAILPOINTS
from tests.chaos.test_checker import RIGHT


def test_each_outage_has_its_turn_in_each_round_and_a_seed_repeats_them() -> None:
    dealt = deal(list(Outage), 3, seed=5)
    for start in range(0, len(dealt), len(Outage)):
        hand = dealt[start : start + len(Outage)]
        assert sorted(hand) == sorted(Outage)
        assert all("gracefully" in outage.value for outage in hand[:3])
    assert dealt == deal(list(Outage), 3, seed=5)
    assert dealt != deal(list(Outage), 3, seed=6)


def test_failpoints_of_the_storm_exist() -> None:
    assert POINTS.keys() <= FAILPOINTS.keys()


def test_an_end_of_a_connection_is_a_break_unless_the_dialer_ended_with_it() -> None:
    [kill] = RIGHT.kills
    losses = (
        Loss(kill.at - 0.1, 1, "dialer"),
        Loss(kill.at + 5.0, 2, "asterisk"),
        Loss(kill.at + 9.0, 3, "dialer"),
    )
    seen = replace(RIGHT, cuts=(50.0,), wire=replace(RIGHT.wire, losses=losses))
    assert count_breaks(seen).cuts == (50.0, kill.at + 5.0, kill.at + 9.0)


def test_a_link_that_ends_while_the_dialer_is_stopped_took_with_it_what_was_told_since() -> None:
    losses = (Loss(120.0, 2, "asterisk"), Loss(130.0, 3, "dialer"))
    seen = replace(RIGHT, kills=(), cuts=(118.0,), wire=replace(RIGHT.wire, losses=losses))
    stopped = count_breaks(seen, [(111.4, 121.0)])
    assert stopped.cuts == (111.4, 111.4, 130.0)
    assert "call-b2" in unanswered_at_kills(stopped)  # it was told to be up at 111.5
    assert "call-b2" not in unanswered_at_kills(count_breaks(seen))


def test_an_unknown_or_estimated_end_without_words_is_wrong() -> None:
    fine = (
        Reason("answered", False, None, 9),
        Reason("answered", True, "Asterisk was restarted", 2),
        Reason("unknown", True, "Asterisk was restarted", 1),
    )
    assert check_reasons(fine) == []
    assert describe_reasons(fine) == [
        "    2 answered: Asterisk was restarted",
        "    1 unknown: Asterisk was restarted",
    ]
    silent = (Reason("unknown", True, None, 3), Reason("answered", True, "", 1))
    assert check_reasons(silent) == [
        "3 CDRs (unknown) do not say what became of their calls",
        "1 CDRs (answered) do not say what became of their calls",
    ]


def test_outages_of_a_kind_are_told_together() -> None:
    kill = Suffered("kill", 1.0, 31, 2.0, 0.25)
    suffered = (kill, replace(kill, in_flight=40, again=1.5), Suffered("cut", 9.0, 33, 0.0, None))
    assert describe_outages(suffered) == [
        "kill: 2 times, 31 to 40 calls in flight, calls again within 1.50 s",
        "cut: 1 times, 33 to 33 calls in flight",
    ]


LOG = """
1970-01-01T00:01:50.700000Z [info     ] open calls compared [x] gone=0 live=7 missing=2 server=pbx1
1970-01-01T00:02:01.500000Z [info     ] open calls compared [x] gone=0 live=6 missing=0 server=pbx1
"""


def test_a_life_after_a_kill_is_timed_from_its_login() -> None:
    kills = (*RIGHT.kills, Kill(119.0, "at random", 11, 119.0))
    originates = (*RIGHT.wire.originates, Originate(120.25, 3, "call-d", "act-d", "703"))
    logins = (*RIGHT.wire.logins, Login(130.0, 4))
    seen = replace(
        RIGHT, kills=kills, wire=replace(RIGHT.wire, originates=originates, logins=logins)
    )
    first, second = find_lives(seen, LOG)
    assert astuple(first) == pytest.approx((0.5, 0.2, 7, 2))
    assert astuple(second) == pytest.approx((0.25, 1.5, 6, 0))
    silent = replace(seen, kills=(*kills, Kill(125.0, "at random", 11, 125.0)))
    assert len(find_lives(silent, LOG)) == 2


def test_the_configuration_is_the_labs_on_other_ports(tmp_path: Path) -> None:
    ports = {"carrier": Ports(41001, 41002), "pbx2": Ports(41003, 41004)}
    write_configuration(tmp_path, ports)
    assert "port = 41003\n" in (tmp_path / "pbx2/manager.conf").read_text()
    assert "port = 41001\n" in (tmp_path / "carrier/manager.conf").read_text()
    assert "bind = 127.0.0.1:41004\n" in (tmp_path / "pbx2/pjsip.conf").read_text()
    assert "bind = 127.0.0.1:41002\n" in (tmp_path / "carrier/pjsip.conf").read_text()
    assert "contact = sip:127.0.0.1:41002\n" in (tmp_path / "shared/pjsip-pbx.conf").read_text()
    written = "".join(path.read_text() for path in tmp_path.rglob("*.conf"))
    for lab in ("15039", "15040", "15061", "15062", "25000", "29999", "30000", "39999"):
        assert lab not in written


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert find_root() == "an Asterisk of a campaign's own needs root"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("AMI_DIALER_CACHE", str(tmp_path))
    assert find_root() == f"no Asterisk in {tmp_path}/debian-root (make lab-up makes it)"
    program = tmp_path / "debian-root/usr/sbin/asterisk"
    program.parent.mkdir(parents=True)
    program.touch()
    assert find_root() == tmp_path / "debian-root"
