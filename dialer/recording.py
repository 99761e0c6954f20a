"""Recorded calls: what their files are called, what the operator's dialplan is told, and where the
audio is found afterwards (asterisk-conf/shared/dialer-recording.conf, docs/client-api.md)."""

from typing import Any, Final
from urllib.parse import quote

from ami import NO_EXTENSION, assign
from dialer.policy import (
    DEFAULT_POLICY,
    DEFAULT_PROFILE,
    FORMATS,
    Policy,
    check_line,
    check_recording,
)

CONTEXT: Final = "dialer-recording"
EXTEN: Final = "s"
PRIORITY: Final = 1

NO_CONTEXT: Final = (
    f"this server has no recording context: its dialplan needs extension {EXTEN} in {CONTEXT}"
)

_SPELLINGS: Final = {name.casefold(): name for name in DEFAULT_POLICY.applications}


def is_recorded(payload: dict[str, Any]) -> bool:
    """Whether this item's calls are to be recorded."""
    return bool(payload.get("create_recording"))


def name_recording(accountcode: str, recording_path: str | None, cdr_id: str) -> str:
    """The file of one attempt without its ending, below the folder of all recordings: the client's
    folder, its own path in there, the CDR's id, which no other attempt has."""
    folder = (recording_path or "").strip("/")
    return "/".join(part for part in (accountcode, folder, cdr_id) if part)


def choose_format(payload: dict[str, Any]) -> str:
    """The ending of the item's recordings."""
    return (payload.get("recording_format") or FORMATS[0]).lower()


def check_recorded(payload: dict[str, Any], data: str, policy: Policy) -> None:
    """Refuse an item that can not be recorded as it asks for: `data` is what its application gets,
    which goes in a line of its own."""
    check_recording(
        payload.get("recording_path"),
        payload.get("recording_format"),
        payload.get("mix_monitor_command"),
        policy,
    )
    check_recorded_data(data, added="")


def check_recorded_data(data: str, added: str = ",120,") -> None:
    """Refuse Data that would be too long for the line that tells the dialplan, with its escapes and
    what a Dial without a timeout gets `added`."""
    check_line("action.Data", "Variable", assign("DIALER_DATA", data + added))


def write_variables(
    payload: dict[str, Any], accountcode: str, cdr_id: str, application: str, data: str
) -> tuple[str, ...]:
    """The assignments that tell the dialplan what to record and what to run. Extensions, which the
    application's name is there, are found in their own spelling alone."""
    values = {
        "DIALER_RECORDING": name_recording(accountcode, payload.get("recording_path"), cdr_id),
        "DIALER_FORMAT": choose_format(payload),
        "DIALER_PROFILE": payload.get("mix_monitor_command") or DEFAULT_PROFILE,
        "DIALER_APPLICATION": _SPELLINGS.get(application.casefold(), application),
        "DIALER_DATA": data,
    }
    return tuple(assign(name, value) for name, value in values.items())


def write_url(path: str, name: str, server_code: str, base: str | None) -> str:
    """Where the recording is to be had. `path`: its absolute path on the server; `name`: its name
    with the ending below the folder of all recordings, which `base` is the address of. Without one
    it is a file of that server."""
    if base:
        return f"{base.rstrip('/')}/{quote(name)}"
    return f"file://{server_code}{quote(path)}"


def explain_refusal(message: str, payload: dict[str, Any]) -> str:
    """Asterisk's error for an Originate, in words that say what is missing."""
    if NO_EXTENSION in message and is_recorded(payload):
        return f"{NO_CONTEXT} ({message})"
    return message
