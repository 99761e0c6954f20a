import pytest

from ami import LegB
from dialer.dialects.parties import (
    Party,
    find_extension,
    find_queue,
    read_caller,
    read_channel,
    read_dial_string,
)
from tests.unit.dialer.delivery.samples import make_cdr


@pytest.mark.parametrize(
    ("name", "party"),
    [
        ("PJSIP/alice-0000001a", Party("PJSIP", "alice")),
        ("PJSIP/trunk-one-0000001a", Party("PJSIP", "trunk-one")),
        ("Local/101@agents-00000001;1", Party("Local", "101")),
        ("SIP/trunk", Party("SIP", "trunk")),
        ("IAX2/peer-1234", Party("IAX2", "peer")),
        ("Surrogate", None),
        ("PJSIP/", None),
        ("/alice-1", None),
    ],
)
def test_channel_names(name: str, party: Party | None) -> None:
    assert read_channel(name) == party


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("PJSIP/0987654321@endpoint2", Party("PJSIP", "endpoint2")),
        ("SIP/trunk/0987", Party("SIP", "trunk")),
        ("PJSIP/101", Party("PJSIP", "101")),
        ("PJSIP/trunk/sip:0987@gateway.example", Party("PJSIP", "trunk")),
        ("Local/101@agents/n", Party("Local", "101")),
        ("101", None),
        ("", None),
    ],
)
def test_dial_strings(text: str, party: Party | None) -> None:
    assert read_dial_string(text) == party


def test_the_extension_is_the_leg_that_was_dialed() -> None:
    cdr = make_cdr(
        application="Dial", data="PJSIP/0987@other,30", leg_b=LegB("PJSIP/alice-0000001a")
    )
    assert find_extension(cdr) == "alice"


def test_the_extension_of_a_call_that_did_not_get_so_far_is_the_one_that_was_wanted() -> None:
    assert find_extension(make_cdr(leg_b=None, application="dial", data="PJSIP/101,30")) == "101"
    assert find_extension(make_cdr(leg_b=LegB(), application="Dial", data="PJSIP/101")) == "101"


@pytest.mark.parametrize(
    ("application", "data"),
    [("Dial", None), ("Dial", ",30"), ("Playback", "PJSIP/101"), (None, None), ("Wait", "1")],
)
def test_no_second_leg_no_extension(application: str | None, data: str | None) -> None:
    assert find_extension(make_cdr(leg_b=None, application=application, data=data)) == ""


def test_the_queue_of_a_call() -> None:
    assert find_queue(make_cdr(application="Queue", data="sales,t,,,60")) == "sales"
    assert find_queue(make_cdr(application="Queue", data=None)) == ""
    assert find_queue(make_cdr(application="Playback", data="sales")) == ""


@pytest.mark.parametrize(
    ("caller_id", "name", "number", "text"),
    [
        ("Your Company <1001>", "Your Company", "1001", '"Your Company" <1001>'),
        ('"John Doe" <0312000000>', "John Doe", "0312000000", '"John Doe" <0312000000>'),
        ("<1001>", "", "1001", "1001"),
        ("1001", "", "1001", "1001"),
        ("+1 (555) 010-0", "", "+15550100", "+15550100"),
        ("Company <>", "", "Company <>", "Company <>"),
        ("anonymous", "", "anonymous", "anonymous"),
        ("", "", "", ""),
        (None, "", "", ""),
    ],
)
def test_caller_ids(caller_id: str | None, name: str, number: str, text: str) -> None:
    caller = read_caller(caller_id)
    assert (caller.name, caller.number, caller.text) == (name, number, text)
