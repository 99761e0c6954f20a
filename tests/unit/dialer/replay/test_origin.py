import pytest

from ami import Kind, Message, OriginateAnswered, parse_message
from dialer.replay.origin import Origin, read_originate, recall_originate
from tests.unit.dialer.replay.traced import SUCCESS, encode


def ordered(dial_string: str, *written: tuple[str, str]) -> Origin:
    lines = (("Action", "Originate"), ("Channel", dial_string), *written)
    block = "\r\n".join(f"{name}: {value}" for name, value in lines).encode()
    return read_originate(Message(Kind.EVENT, "sent", block))


@pytest.mark.parametrize(
    ("dial_string", "number", "prefix"),
    [
        ("PJSIP/9001@carrier", "9001", "pjsip/carrier-"),
        ("SIP/trunk/9001", "9001", "sip/trunk-"),
        ("Local/259", "259", "local/259"),
        ("Local/259@default/n", "259", "local/259@default"),
        ("", "", "/-"),
    ],
)
def test_numbers_and_channels_of_dial_strings(dial_string: str, number: str, prefix: str) -> None:
    origin = ordered(dial_string)
    assert (origin.number, origin.channel_prefix) == (number, prefix)


def test_what_a_recorded_call_runs_stands_in_its_variables() -> None:
    variables = ("A=1,B=2", "DIALER_APPLICATION=Dial", r"DIALER_DATA=PJSIP/1@x\,20\\")
    written = (("Variable", variables[0]), ("variable", variables[1]), ("Variable", variables[2]))
    origin = ordered("PJSIP/1@x", ("Context", "dialer-recording"), *written)
    assert (origin.application, origin.data) == ("Dial", "PJSIP/1@x,20\\")


def test_a_call_to_a_place_in_the_dialplan_runs_no_application() -> None:
    origin = ordered("PJSIP/1@x", ("Context", "c"), ("Data", "x"), ("Variable", "A=1"))
    assert (origin.application, origin.data) == (None, None)


def test_empty_data_is_not_written_and_no_less_known() -> None:
    """As production's CDR and Asterisk's OriginateResponse have it."""
    origin = ordered("PJSIP/1@x", ("Application", "Echo"))
    assert (origin.application, origin.data) == ("Echo", "")


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("Lab", "5551000", '"Lab" <5551000>'),
        ("<unknown>", "5551000", "5551000"),
        ("Lab", "<unknown>", None),
    ],
)
def test_what_a_response_repeats(name: str, number: str, expected: str | None) -> None:
    text = SUCCESS.replace("Name: Lab", f"Name: {name}").replace("Num: 5551000", f"Num: {number}")
    message = parse_message(encode(text).rstrip())
    assert message is not None
    answered = OriginateAnswered(1.0, "a1", "c1", True, "Success", 4, "PJSIP/carrier-1")
    origin = recall_originate(message, answered)
    assert (origin.caller_id, origin.application, origin.data) == (expected, "Wait", "60")
