"""The simulated Asterisk's answers to the actions of a session that is logged in."""

import time
from collections.abc import Callable
from typing import Final

from ami.simulator.config import AmiUser
from ami.simulator.exchange import Exchange
from ami.simulator.pages import write_action_id, write_listed, write_response
from ami.simulator.requests import Headers, first_value, read_originate

# The write classes of which a user needs one, and Asterisk's own line in ListCommands; None: all
# may. Actions that only a privilege that nobody should have allows are listed to be refused.
_REPORTING: Final = frozenset({"system", "reporting"})
PRIVILEGES: Final[dict[str, frozenset[str] | None]] = {
    "ping": None,
    "listcommands": None,
    "originate": frozenset({"originate"}),
    "hangup": frozenset({"system", "call"}),
    "coreshowchannels": _REPORTING,
    "corestatus": _REPORTING,
    "coresettings": _REPORTING,
    "command": frozenset({"command"}),
    "filter": frozenset({"system"}),
    "mixmonitor": frozenset({"system"}),
    "reload": frozenset({"system"}),
    "getconfig": frozenset({"config"}),
    "updateconfig": frozenset({"config"}),
}
_LISTED: Final = {
    "CoreSettings": "Show PBX core settings (version etc).  (Priv: system,reporting,all)",
    "CoreShowChannels": "List currently active channels.  (Priv: system,reporting,all)",
    "CoreStatus": "Show PBX core status variables.  (Priv: system,reporting,all)",
    "Hangup": "Hangup channel.  (Priv: system,call,all)",
    "ListCommands": "List available manager commands.  (Priv: <none>)",
    "Originate": "Originate a call.  (Priv: originate,all)",
    "Ping": "Keepalive command.  (Priv: <none>)",
}
VERSION: Final = "22.10.1"


class Answers:
    """Answers actions by `exchange`'s state."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._handlers: dict[str, Callable[[str, Headers], str]] = {
            "ping": self._ping,
            "originate": self._originate,
            "hangup": self._hangup,
            "coreshowchannels": self._show_channels,
            "corestatus": self._status,
            "coresettings": self._settings,
        }

    def answer(self, user: AmiUser, action: str, headers: Headers) -> str:
        """The whole answer to `action`."""
        name = action.lower()
        action_id = first_value(headers, "ActionID")
        if name not in PRIVILEGES:
            return _error(
                action_id,
                f"Invalid/unknown command: {action}. Use Action: ListCommands to show available"
                " commands.",
            )
        if not is_allowed(user, name):
            return _error(action_id, "Permission denied")
        if name == "listcommands":
            lines = [
                f"{listed}: {text}" for listed, text in _LISTED.items() if is_allowed(user, listed)
            ]
            return write_response("Success", action_id, *lines)
        handler = self._handlers.get(name)
        if handler is None:
            return _error(action_id, "The simulator does not do this")
        return handler(action_id, headers)

    def _ping(self, action_id: str, headers: Headers) -> str:
        stamp = f"Timestamp: {self._exchange.now():.6f}"
        return write_response("Success", action_id, "Ping: Pong", stamp)

    def _originate(self, action_id: str, headers: Headers) -> str:
        refusal = self._exchange.refuse(headers)
        if refusal is not None:
            return _error(action_id, refusal)
        if first_value(headers, "Async").lower() not in ("true", "yes", "on", "1", "y", "t"):
            return _error(action_id, "The simulator does asynchronous originates alone")
        request = read_originate(headers)
        # Its events come after this answer, as they do on the session that asked.
        self._exchange.later(0.0, lambda: self._exchange.originate(request))
        return write_response("Success", action_id, "Message: Originate successfully queued")

    def _hangup(self, action_id: str, headers: Headers) -> str:
        wanted = first_value(headers, "Channel")
        if not wanted:
            return _error(action_id, "No channel specified")
        cause = first_value(headers, "Cause")
        number = int(cause) if cause.isdecimal() and int(cause) < 128 else None
        if wanted.startswith("/") or self._exchange.channels.find(wanted) is None:
            return _error(action_id, "No such channel")
        self._exchange.later(0.0, lambda: self._hang_up(wanted, number))
        return write_response("Success", action_id, "Message: Channel Hungup")

    def _hang_up(self, wanted: str, cause: int | None) -> None:
        self._exchange.hang_up(wanted, cause)

    def _show_channels(self, action_id: str, headers: Headers) -> str:
        now = self._exchange.now()
        listed = [write_listed(action_id, channel, now) for channel in self._exchange.channels]
        head = write_response(
            "Success", action_id, "EventList: start", "Message: Channels will follow"
        )
        end = (
            f"Event: CoreShowChannelsComplete\r\n{write_action_id(action_id)}"
            f"EventList: Complete\r\nListItems: {len(listed)}\r\n\r\n"
        )
        return "".join([head, *listed, end])

    def _status(self, action_id: str, headers: Headers) -> str:
        """The times are the server's local ones, to the second."""
        started = time.localtime(self._exchange.started_at)
        date, clock = time.strftime("%Y-%m-%d", started), time.strftime("%H:%M:%S", started)
        return write_response(
            "Success",
            action_id,
            f"CoreStartupDate: {date}",
            f"CoreStartupTime: {clock}",
            f"CoreReloadDate: {date}",
            f"CoreReloadTime: {clock}",
            f"CoreCurrentCalls: {len(self._exchange.channels)}",
            f"CoreProcessedCalls: {self._exchange.originates}",
        )

    def _settings(self, action_id: str, headers: Headers) -> str:
        return write_response(
            "Success",
            action_id,
            "AMIversion: 11.0.0",
            f"AsteriskVersion: {VERSION}",
            "SystemName: ",
            "CoreMaxCalls: 0",
            "CoreMaxLoadAvg: 0.000000",
            "CoreRunUser: ",
            "CoreRunGroup: ",
            "CoreMaxFilehandles: 65536",
            "CoreRealTimeEnabled: No",
            "CoreCDRenabled: No",
            "CoreHTTPenabled: No",
            "SoundsSearchCustomDir: No",
        )


def is_allowed(user: AmiUser, action: str) -> bool:
    needed = PRIVILEGES[action.lower()]
    return needed is None or not needed.isdisjoint(user.write)


def _error(action_id: str, message: str) -> str:
    return write_response("Error", action_id, f"Message: {message}")
