"""One AMI session of the simulated Asterisk: bytes in, actions read by its rules, answers out."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from ami.simulator.config import AmiUser
from ami.simulator.pages import write_booted, write_response
from ami.simulator.requests import Headers, first_value

MAX_LINE: Final = 1023  # bytes before LF, a CR among them: manager.c's inbuf[1025]
MAX_HEADERS: Final = 128
BANNER: Final = b"Asterisk Call Manager/11.0.0\r\n"
# The read class that an event needs, where it is not `call`.
_CLASSES: Final = {"FullyBooted": "system", "Shutdown": "system", "UserEvent": "user"}
_TOO_LONG: Final = "Failed to parse message: line too long"
_TOO_MANY: Final = "Too many lines in message or allocation failure"


class Host(Protocol):
    """What a session needs of the simulator around it."""

    @property
    def stopping(self) -> bool: ...
    @property
    def login_delay(self) -> float: ...
    @property
    def answer_delay(self) -> float: ...
    @property
    def max_backlog(self) -> int: ...
    @property
    def uptime(self) -> float: ...
    def find_user(self, name: str) -> AmiUser | None: ...
    def answer(self, user: AmiUser, action: str, headers: Headers) -> str: ...
    def joined(self, session: "Session") -> None: ...
    def left(self, session: "Session") -> None: ...
    def later(self, delay: float, act: Callable[[], None]) -> object: ...
    def flush_soon(self, session: "Session") -> None: ...
    def new_challenge(self) -> str: ...


class Session(asyncio.Protocol):
    """`user` is None until a login. What is `queue`d is written in one go by `flush`."""

    def __init__(self, host: Host) -> None:
        self.user: AmiUser | None = None
        self.wants_events = True
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._headers: Headers = {}
        self._lines = 0
        self._too_long = False
        self._paused = False
        self._challenge = ""
        self._out: list[bytes] = []
        self._owed: deque[bytes] = deque()  # answers that come late, in their order
        self._closing = False

    # -- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host.joined(self)
        transport.write(BANNER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._host.left(self)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._paused:
            self._read_lines()

    def hear(self, name: str, data: bytes) -> None:
        """An event, if its user may and wants to have it."""
        user = self.user
        if user is not None and self.wants_events and _may_hear(user, name):
            self.queue(data)

    def queue(self, data: bytes) -> None:
        if not self._out:
            self._host.flush_soon(self)
        self._out.append(data)

    def flush(self) -> None:
        """Write what is queued; a reader that left too much unread is cut off in mid-message."""
        transport = self._transport
        if transport is None or not self._out:
            return
        transport.write(b"".join(self._out))
        self._out.clear()
        if transport.get_write_buffer_size() > self._host.max_backlog:
            transport.abort()

    def drop(self) -> None:
        """The link is gone, without a word."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Flush and close."""
        self._closing = True
        self.flush()
        if self._transport is not None:
            self._transport.close()

    # -- lines and headers

    def _read_lines(self) -> None:
        *lines, self._rest = self._rest.split(b"\n")
        for done, line in enumerate(lines):
            if self._paused or self._closing:
                self._rest = b"\n".join([*lines[done:], self._rest])
                return
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        if len(line) > MAX_LINE:
            self._too_long = True
            # One byte too many leaves the LF alone in the buffer: an empty line.
            if len(line) > MAX_LINE + 1:
                return
            line = b""
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        if text:
            self._lines += 1
            name, colon, value = text.partition(":")
            if colon and self._lines <= MAX_HEADERS:
                self._headers.setdefault(name.lower(), []).append(value.removeprefix(" "))
            return
        headers, self._headers = self._headers, {}
        lines, self._lines = self._lines, 0
        too_long, self._too_long = self._too_long, False
        if lines > MAX_HEADERS:
            self._refuse(headers, _TOO_MANY)
        elif too_long:
            self._refuse(headers, _TOO_LONG)
        else:
            self._take_action(headers)

    def _refuse(self, headers: Headers, why: str) -> None:
        self._reply("Error", headers, f"Message: {why}")

    def _reply(self, word: str, headers: Headers, *lines: str) -> None:
        self.queue(write_response(word, first_value(headers, "ActionID"), *lines).encode())

    # -- actions

    def _take_action(self, headers: Headers) -> None:
        action = first_value(headers, "Action")
        name = action.lower()
        if not action:
            self._refuse(headers, "Missing action in request")
        elif self._host.stopping:
            self._refuse(headers, "Asterisk is shutting down")
        elif name == "login":
            self._log_in(headers)
        elif name == "challenge":
            self._make_challenge(headers)
        elif name == "logoff":
            self._reply("Goodbye", headers, "Message: Thanks for all the fish.")
            self.close()
        elif self.user is None:
            self._refuse(headers, "Permission denied")
        elif name == "events":
            mask = first_value(headers, "EventMask").lower()
            self.wants_events = mask not in ("off", "0", "false", "no", "n", "f", "")
            self._reply("Success", headers, f"Events: {'On' if self.wants_events else 'Off'}")
        else:
            self._answer(self._host.answer(self.user, action, headers).encode())

    def _answer(self, answer: bytes) -> None:
        """At once, or late and after those that are late already."""
        delay = self._host.answer_delay
        if not delay and not self._owed:
            self.queue(answer)
            return
        self._owed.append(answer)
        self._host.later(delay, lambda: self.queue(self._owed.popleft()))

    def _make_challenge(self, headers: Headers) -> None:
        if first_value(headers, "AuthType").upper() != "MD5":
            self._refuse(headers, "Must specify AuthType")
            return
        self._challenge = self._host.new_challenge()
        self._reply("Success", headers, f"Challenge: {self._challenge}")

    def _log_in(self, headers: Headers) -> None:
        if self.user is not None:
            self._reply("Success", headers, "Message: Already authenticated")
            return
        user = self._host.find_user(first_value(headers, "Username"))
        if user is None or not self._knows_secret(user, headers):
            self._paused = True
            self._host.later(self._host.login_delay, lambda: self._turn_away(headers))
            return
        self.user = user
        self.wants_events = first_value(headers, "Events").lower() not in ("off", "0", "no")
        self._reply("Success", headers, "Message: Authentication accepted")
        self.hear("FullyBooted", write_booted(self._host.uptime).encode())

    def _knows_secret(self, user: AmiUser, headers: Headers) -> bool:
        if first_value(headers, "AuthType").upper() != "MD5":
            return first_value(headers, "Secret") == user.secret
        wanted = hashlib.md5((self._challenge + user.secret).encode(), usedforsecurity=False)
        return bool(self._challenge) and first_value(headers, "Key") == wanted.hexdigest()

    def _turn_away(self, headers: Headers) -> None:
        self._refuse(headers, "Authentication failed")
        self.close()


def _may_hear(user: AmiUser, name: str) -> bool:
    needed = _CLASSES.get(name, "call")
    return needed in user.read and (user.events is None or name in user.events)
