"""Each error says who must act, and none carries a value that could be a secret."""

import pytest

from ami.errors import (
    ActionInvalid,
    ActionRejected,
    ActionTimeout,
    AmiError,
    IllegalLinkMove,
    LinkDown,
    LinkLost,
    LoginRefused,
    MessageTooLong,
    ProtocolBroken,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ActionInvalid("CallerID", "a control character"), "CallerID: a control character"),
        (ActionRejected("No such channel"), "No such channel"),
        (ActionTimeout("no answer to a-1"), "no answer to a-1"),
        (LinkDown("not connected"), "not connected"),
        (LinkLost("closed by the peer"), "closed by the peer"),
        (LoginRefused("Authentication failed"), "Authentication failed"),
        (MessageTooLong(100), "a message of more than 100 bytes"),
        (IllegalLinkMove("up", "connect"), "no move from up on connect"),
    ],
)
def test_one_base_and_a_plain_sentence(error: AmiError, text: str) -> None:
    assert isinstance(error, AmiError)
    assert str(error) == text


def test_a_message_too_long_is_a_broken_protocol() -> None:
    assert isinstance(MessageTooLong(1), ProtocolBroken)
    assert MessageTooLong(1).messages == ()


def test_what_can_be_asked_of_them() -> None:
    invalid = ActionInvalid("Channel", "is empty")
    assert (invalid.header, invalid.rule) == ("Channel", "is empty")
    assert ActionRejected("Permission denied").message == "Permission denied"
    assert LoginRefused("Authentication failed").message == "Authentication failed"
    assert IllegalLinkMove("up", "connect").signal == "connect"
