"""Texts that the captures of calls do not hold; those are compared in test_dialogue."""

from ami.simulator.channels import UP, Channel
from ami.simulator.pages import (
    write_booted,
    write_bridge,
    write_event,
    write_listed,
    write_response,
    write_shutdown,
)
from ami.wire import parse_message


def channel() -> Channel:
    made = Channel("PJSIP/carrier-00000001", "u1", "l1", 100.0)
    made.state = UP
    made.application, made.data = "Wait", "60"
    return made


def test_listed_channel_has_the_headers_of_the_capture() -> None:
    message = parse_message(write_listed("a", channel(), 100.0 + 3725.9).encode())
    assert message is not None
    assert [name for name, _ in message.headers] == [
        "Event", "ActionID", "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum",
        "CallerIDName", "ConnectedLineNum", "ConnectedLineName", "Language", "AccountCode",
        "Context", "Exten", "Priority", "Uniqueid", "Linkedid", "Application", "ApplicationData",
        "Duration", "BridgeId",
    ]  # fmt: skip
    assert message.get("Duration") == "01:02:05"


def test_conference_bridge() -> None:
    message = parse_message(
        b"Event: BridgeEnter\r\n" + write_bridge(channel(), "b", 1, "r").encode()
    )
    assert message is not None
    names = ("BridgeType", "BridgeTechnology", "BridgeCreator", "BridgeName")
    assert [message.get(name) for name in names] == ["base", "softmix", "ConfBridge", "r"]


def test_responses() -> None:
    assert write_response("Error", "a", "Message: m") == (
        "Response: Error\r\nActionID: a\r\nMessage: m\r\n\r\n"
    )
    assert write_response("Success", "") == "Response: Success\r\n\r\n"


def test_shutdown_and_boot() -> None:
    text = write_event("Shutdown", 1.5, write_shutdown(clean=True, restart=False), "system,all")
    assert text == (
        "Event: Shutdown\r\nPrivilege: system,all\r\nTimestamp: 1.500000\r\n"
        "Shutdown: Cleanly\r\nRestart: False\r\n\r\n"
    )
    assert "Uptime: 7\r\n" in write_booted(7.9)
