"""What can go wrong with Asterisk, by who must act on it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ami.wire import Message


class AmiError(Exception):
    """Base of every error that this package raises on purpose."""


class ActionInvalid(AmiError):
    """Our side gave a value that cannot go on the wire. Nothing was written.

    Never carries the value itself: it may be a secret or a phone number.
    """

    def __init__(self, header: str, rule: str) -> None:
        super().__init__(f"{header}: {rule}")
        self.header = header
        self.rule = rule


class ActionRejected(AmiError):
    """Asterisk answered `Response: Error`; `message` is its own text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ActionTimeout(AmiError):
    """Written, and no answer within the action's time: the outcome is unknown."""


class LinkDown(AmiError):
    """Not connected, or not ready: nothing was written, or not all of it, so that it is not run."""


class LinkLost(AmiError):
    """Written, then the link went before the answer: the outcome is unknown."""


class LoginRefused(AmiError):
    """Asterisk refused the user name or the secret, or the user may not log in twice."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ProtocolBroken(AmiError):
    """The peer does not speak AMI as anyone could follow it; the link must be closed."""


class MessageTooLong(ProtocolBroken):
    """A message passed the bound. `messages`: the good ones that came before it in that chunk."""

    def __init__(self, bound: int, messages: "tuple[Message, ...]" = ()) -> None:
        super().__init__(f"a message of more than {bound} bytes")
        self.bound = bound
        self.messages = messages


class IllegalLinkMove(AmiError):
    """The table of link states has no such move: our own bug."""

    def __init__(self, state: str, signal: str) -> None:
        super().__init__(f"no move from {state} on {signal}")
        self.state = state
        self.signal = signal
