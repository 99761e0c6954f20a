"""From a waiting item to the Originate on the wire: the one place that decides what is sent.

Every rule of `dialer.policy` is asked again, for an item may have waited while its client's
policy changed. What a client sends as Account, EarlyMedia, Async and PreDialGoSub is echoed to it
and never sent (docs/walls.md).
"""

from typing import Any

from ami import Originate
from dialer.applications import check_application, check_data, parse_default
from dialer.items import DEFAULT_TIMEOUT
from dialer.policy import (
    Policy,
    check_caller_id,
    check_caller_number,
    check_channel_ids,
    check_codecs,
    check_dial_string,
    check_gosub,
    check_recording,
    fits_wire,
)
from dialer.recording import (
    CONTEXT,
    EXTEN,
    PRIORITY,
    check_recorded,
    is_recorded,
    write_variables,
)
from dialer.store.contract import Candidate, Client
from dialer.variables import check_variables

LONGEST = "TIMEOUT(absolute)"  # the function that makes Asterisk end a call that lasts too long


def build_originate(
    candidate: Candidate,
    client: Client,
    *,
    channel_id: str,
    action_id: str,
    cdr_id: str,
    max_duration: int,
    policy: Policy,
) -> Originate:
    """The Originate of this attempt. `max_duration` is seconds. A call that is to be recorded goes
    to the operator's recording context, which runs its application, and `cdr_id` names the file.
    Raises `Refused` when the item breaks a rule of `policy`."""
    action: dict[str, Any] = candidate.payload["action"]
    target = check_dial_string(action["Channel"], policy)
    if candidate.caller_id:
        check_caller_id(candidate.caller_id)
        check_caller_number(candidate.caller_id, policy, client.did)
    codecs = action.get("Codecs") or ""
    if codecs:
        check_codecs(codecs)
    if action.get("PreDialGoSub"):
        check_gosub(action["PreDialGoSub"], policy)
    profile = candidate.payload.get("mix_monitor_command")
    if profile:
        check_recording(None, None, profile, policy)
    local = target.tech == "Local"
    check_channel_ids(action.get("ChannelId"), action.get("OtherChannelId"), local=local)
    application, data = find_application(candidate.payload, client, policy)
    assignments = check_variables(action.get("Variable") or "", policy)
    called = {item.name for item in assignments if item.name in policy.functions}
    recorded = is_recorded(candidate.payload)
    ours: tuple[str, ...] = ()
    if recorded:
        check_recorded(candidate.payload, data, policy)
        ours = write_variables(candidate.payload, client.accountcode, cdr_id, application, data)
    return Originate(
        channel=target.text,
        channel_id=channel_id,
        action_id=action_id,
        application=None if recorded else application,
        data="" if recorded else data,
        context=CONTEXT if recorded else None,
        exten=EXTEN if recorded else None,
        priority=PRIORITY if recorded else None,
        timeout_ms=action.get("Timeout") or call_timeout(candidate.payload) * 1000,
        caller_id=candidate.caller_id or "",
        account=client.accountcode,
        variables=(f"{LONGEST}={max_duration}", *ours, *(item.text for item in assignments)),
        functions=frozenset({LONGEST, *called}),
        codecs=codecs,
        other_channel_id=find_other_channel_id(candidate) if local else "",
    )


def call_timeout(payload: dict[str, Any]) -> int:
    """The item's call_timeout in seconds."""
    seconds: int = payload.get("call_timeout") or DEFAULT_TIMEOUT
    return seconds


def find_application(payload: dict[str, Any], client: Client, policy: Policy) -> tuple[str, str]:
    """(application, data) that this item runs: its own, or the client's default where it names
    none or a Dial without a target. A Dial always gets a timeout, the item's call_timeout."""
    action: dict[str, Any] = payload["action"]
    timeout = call_timeout(payload)
    if action.get("Application"):
        application = check_application(action["Application"], policy)
        data: str = action.get("Data") or ""
        dial = check_data(application, data, policy)
        if dial is not None:
            return application, dial.text(timeout)
        if application != "Dial":
            return application, data
    application, data = parse_default(client.default_application)
    if application.casefold() == "dial":  # an operator may write it in any case
        data = _with_timeout(data, timeout)
    return application, data


def find_other_channel_id(candidate: Candidate) -> str:
    """For a Local channel that goes by the client's ChannelId: the client's OtherChannelId where
    its form may go on the wire, with this attempt's suffix: none, `-2`, `-3` …; else ''. Beside an
    id of ours it has no partner to be checked against."""
    other: str | None = candidate.payload["action"].get("OtherChannelId")
    if not other or not fits_wire(other) or candidate.channel_base is None:
        return ""
    number = candidate.attempts + candidate.unplaced + 1
    return other if number == 1 else f"{other}-{number}"


def _with_timeout(data: str, timeout: int) -> str:
    target, _, rest = data.partition(",")
    own, comma, options = rest.partition(",")
    return f"{target},{own or timeout}{comma}{options}"
