"""What a client's data may be before it reaches the AMI wire (docs/walls.md). Every check
raises `Refused` with the field and the rule; nothing is repaired.

`Policy` holds the allow-lists; its defaults are those of every client without lists of its own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple

from ami import find_evaluated
from dialer.caller_id import find_number
from dialer.errors import FieldError, Refused

# manager.c reads a line into char[1025]: one of over 1022 bytes + CRLF loses the whole action.
MAX_LINE: Final = 1022
# A Channel or CallerID over 255 bytes is cut by Asterisk without a word; below that, ours.
MAX_CHANNEL: Final = 200
MAX_CALLER_ID: Final = 80

# C0, DEL, C1 (with NEL, U+0085), LS, PS, and lone surrogates, which no UTF-8 wire can carry.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FORBIDDEN = ("&", "|", "`", ";")
_PART = r"[A-Za-z0-9+*#_.\-]+"
_PART_ONLY = re.compile(_PART)
_DIAL = re.compile(rf"([A-Za-z0-9_]+)/(?:({_PART})@({_PART})(/n)?|({_PART})/({_PART})|({_PART}))")
_FORMS = "TECH/number@endpoint, TECH/trunk/number, TECH/device or Local/exten@context"
_CODECS = re.compile(r"[A-Za-z0-9_]+(?:,[A-Za-z0-9_]+)*")
_PATH = re.compile(r"[A-Za-z0-9_.\-]+(?:/[A-Za-z0-9_.\-]+)*/?")
MAX_PATH: Final = 255  # of a recording_path: a file system's limit for one name
# What asterisk-conf's recording dialplan writes (its context dialer-format).
FORMATS: Final = ("wav", "gsm", "ulaw", "alaw", "sln")
DEFAULT_PROFILE: Final = "default"  # how it is recorded without a mix_monitor_command
_PROFILE = re.compile(r"[A-Za-z0-9_]{1,64}")  # an extension of the dialplan
# What may stand on the wire as a channel's Uniqueid (docs/dialing.md, "Identity").
_WIRE_ID = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[A-Za-z][A-Za-z0-9_-]{7,139}"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The allow-lists of one client. None allows all. `functions` are the exact names
    (`PJSIP_HEADER(add,X-Foo)`, `QUEUE_PRIO`) that a Variable may have beside plain ones;
    `dial_options` are letters of `dialer.dial_options`; `prefixes` are beginnings of the
    number dialed, in both legs; `caller_ids` are numbers."""

    applications: frozenset[str] = frozenset(
        {"Dial", "Playback", "Queue", "Wait", "Echo", "ConfBridge", "MusicOnHold"}
    )
    technologies: frozenset[str] = frozenset({"PJSIP", "SIP", "IAX2"})
    endpoints: frozenset[str] | None = None
    local_contexts: frozenset[str] = frozenset()
    gosub_contexts: frozenset[str] = frozenset()
    dial_options: frozenset[str] = frozenset("rRmiIcLS")
    functions: frozenset[str] = frozenset()
    recording_profiles: frozenset[str] = frozenset()
    prefixes: frozenset[str] | None = None
    caller_ids: frozenset[str] | None = None


DEFAULT_POLICY: Final = Policy()


def read_policy(lists: Mapping[str, Sequence[str] | None]) -> Policy:
    """The policy that differs from the default by `lists`, as `dump_policy` gave them. What a
    later version stored and this one does not know is left alone."""
    if not lists:
        return DEFAULT_POLICY
    known = {f.name for f in fields(Policy)}
    changes: dict[str, Any] = {
        name: frozenset(names) if names is not None else None
        for name, names in lists.items()
        if name in known
    }
    return replace(DEFAULT_POLICY, **changes)


def dump_policy(policy: Policy) -> dict[str, list[str] | None]:
    """The lists by which a policy differs from the default one, sorted."""
    found: dict[str, list[str] | None] = {}
    for name in (f.name for f in fields(Policy)):
        allowed: frozenset[str] | None = getattr(policy, name)
        if allowed != getattr(DEFAULT_POLICY, name):
            found[name] = sorted(allowed) if allowed is not None else None
    return found


class DialTarget(NamedTuple):
    """A dial string. `number` is the number dialed (the extension of a Local channel, the device
    of TECH/device), `endpoint` the endpoint, trunk, device or context, `text` what the wire gets:
    the technology in its own spelling, and `/n` on Local, without which the channel with our
    ChannelId would optimize itself away while the call goes on. There is one for every leg of
    every item: a tuple is made in half the time of a dataclass."""

    tech: str
    number: str
    endpoint: str
    text: str


def refusal(field: str, message: str) -> Refused:
    """The error that refuses one field by one rule."""
    return Refused([FieldError(field, message)])


def has_control(text: str) -> bool:
    """Whether a control character stands anywhere in `text`."""
    return _CONTROL.search(text) is not None


def check_text(field: str, text: str) -> None:
    """Refuse control characters."""
    found = _CONTROL.search(text)
    if found is not None:
        raise refusal(field, f"control character U+{ord(found[0]):04X} is not allowed")


def check_line(field: str, header: str, value: str) -> None:
    """Refuse a value whose AMI line would be longer than Asterisk reads."""
    if len(value) * 4 + len(header) + 2 <= MAX_LINE:
        return
    length = len(f"{header}: {value}".encode())
    if length > MAX_LINE:
        raise refusal(field, f"the line is {length} bytes long, the limit is {MAX_LINE}")


def check_start(field: str, text: str) -> None:
    """Refuse a header's value that begins with a blank: Asterisk would read another value."""
    if text.startswith(" "):
        raise refusal(field, "begins with a blank, which Asterisk drops")


def check_forbidden(field: str, text: str, where: str = "a dial string") -> None:
    """Refuse what Asterisk evaluates or takes apart in a dial string."""
    for token in _FORBIDDEN:
        if token in text:
            raise refusal(field, f"'{token}' is not allowed in {where}")
    check_evaluated(field, text)


def check_evaluated(field: str, text: str) -> None:
    """Refuse variable and expression syntax: `${`, `$[`, and `^{`, which becomes `${` later."""
    mark = find_evaluated(text)
    if mark is not None:
        raise refusal(field, f"'{mark}' is not allowed")


def is_dial_part(text: str) -> bool:
    """Whether `text` may be a number or an endpoint in a dial string."""
    return _PART_ONLY.fullmatch(text) is not None


def parse_dial_string(text: str, field: str = "action.Channel") -> DialTarget:
    """Take a dial string of one of the four forms apart, without asking any allow-list."""
    match = _DIAL.fullmatch(text)
    if match is None:
        check_text(field, text)
        check_forbidden(field, text)
        raise refusal(field, f"must be {_FORMS}")
    tech, exten, at, suffix, trunk, number, device = match.groups()
    if tech.upper() == "LOCAL":
        if at is None:
            raise refusal(field, "a Local channel must be Local/exten@context")
        return DialTarget("Local", exten, at, f"Local/{exten}@{at}/n")
    if suffix is not None:
        raise refusal(field, f"must be {_FORMS}")
    if at is not None:
        return DialTarget(tech, exten, at, text)
    if trunk is not None:
        return DialTarget(tech, number, trunk, text)
    return DialTarget(tech, device, device, text)


def check_dial_string(text: str, policy: Policy, field: str = "action.Channel") -> DialTarget:
    """A dial string that this policy allows, its technology in the policy's spelling (Asterisk
    finds technologies in any case). The limit of length is the Channel header's."""
    if len(text) > MAX_CHANNEL:  # what is longer in bytes only is of no form
        raise refusal(
            field, f"is {len(text.encode(errors='replace'))} bytes long, the limit is 200"
        )
    target = parse_dial_string(text, field)
    if target.tech == "Local":
        if len(target.text) > MAX_CHANNEL:
            raise refusal(field, f"is {len(target.text)} bytes long with its /n, the limit is 200")
        if target.endpoint not in policy.local_contexts:
            raise refusal(field, f"Local context '{target.endpoint}' is not allowed")
    else:
        if target.tech not in policy.technologies:
            target = _spell_technology(target, policy, field)
        if policy.endpoints is not None:
            _check_endpoint(target, policy.endpoints, field)
    if policy.prefixes is not None:
        _check_number(target, policy.prefixes, field)
    return target


def _check_endpoint(target: DialTarget, endpoints: frozenset[str], field: str) -> None:
    """What is called must be on the list. In `PJSIP/one/other` that is not `one` alone: Asterisk
    takes `other` for an AOR, and calls its contacts with the settings of `one`."""
    if target.endpoint not in endpoints:
        raise refusal(field, f"endpoint '{target.endpoint}' is not allowed")
    aor = target.number
    if aor not in endpoints and "@" not in target.text and target.tech.upper() == "PJSIP":
        raise refusal(
            field,
            f"'{aor}' is not allowed as an endpoint, and behind PJSIP/{target.endpoint}/ it is one:"
            f" write PJSIP/{aor}@{target.endpoint}",
        )


def _check_number(target: DialTarget, prefixes: frozenset[str], field: str) -> None:
    """The number dialed must begin with a prefix of the list, compared as it is written."""
    if target.tech.upper() == "IAX2" and "@" in target.text:  # chan_iax2.c: username@host
        raise refusal(field, "IAX2/name@endpoint dials no number: write IAX2/trunk/number")
    if not target.number.startswith(tuple(prefixes)):
        raise refusal(field, "the number dialed begins with none of the allowed prefixes")


def check_number(text: str, policy: Policy, field: str) -> str:
    """The dial string `text`, unless the number that it dials is outside the prefixes."""
    if policy.prefixes is not None:
        _check_number(parse_dial_string(text, field), policy.prefixes, field)
    return text


def _spell_technology(target: DialTarget, policy: Policy, field: str) -> DialTarget:
    for tech in policy.technologies:
        if tech.upper() == target.tech.upper():
            text = tech + target.text[len(tech) :]
            return DialTarget(tech, target.number, target.endpoint, text)
    raise refusal(field, f"technology '{target.tech}' is not allowed")


def check_caller_id(text: str, field: str = "action.CallerID") -> None:
    """Refuse a caller ID that Asterisk would cut, evaluate or take for more than a header."""
    check_text(field, text)
    length = len(text.encode())
    if length > MAX_CALLER_ID:
        raise refusal(field, f"is {length} bytes long, the limit is {MAX_CALLER_ID}")
    check_start(field, text)
    check_evaluated(field, text)


def check_caller_number(
    text: str, policy: Policy, own: str | None, field: str = "action.CallerID"
) -> None:
    """Refuse a caller ID whose number is not on the client's list, where there is one. `own` is
    the client's `did`, the operator's word, which is always allowed. What Asterisk might read in
    another way is refused, as is a name alone."""
    allowed = policy.caller_ids
    if allowed is None or text == own:
        return
    number = find_number(text)
    if number is None:
        raise refusal(field, 'must be NUMBER or "name" <NUMBER>, with a number that is allowed')
    if number not in allowed and (own is None or number != find_number(own)):
        raise refusal(field, "the number of the caller ID is not allowed")


def check_codecs(text: str) -> None:
    """Refuse what is no comma-separated list of codec names."""
    if not _CODECS.fullmatch(text):
        raise refusal("action.Codecs", "must be codec names separated by commas")
    check_line("action.Codecs", "Codecs", text)


def fits_wire(channel_id: str) -> bool:
    """Whether a client's ChannelId has a form that may be a channel's Uniqueid."""
    return _WIRE_ID.fullmatch(channel_id) is not None


def check_channel_ids(channel_id: str | None, other_channel_id: str | None, *, local: bool) -> None:
    """Refuse ids that cannot be echoed, and for a Local channel (only there Asterisk reads
    OtherChannelId) those that Asterisk refuses as a pair: it compares without case, and takes an
    id for one that it is the beginning of. An id that merely does not fit the wire is kept and
    echoed (`fits_wire`)."""
    if channel_id:
        check_text("action.ChannelId", channel_id)
    if other_channel_id:
        check_text("action.OtherChannelId", other_channel_id)
        check_forbidden("action.OtherChannelId", other_channel_id)
        if local and channel_id and _clash(channel_id.lower(), other_channel_id.lower()):
            raise refusal(
                "action.OtherChannelId", "and ChannelId must differ, neither beginning the other"
            )


def _clash(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def check_gosub(text: str, policy: Policy) -> None:
    """Refuse a PreDialGoSub outside the allowed contexts. (Asterisk ignores it on an async
    Originate; it is never sent.)"""
    field = "action.PreDialGoSub"
    check_text(field, text)
    check_forbidden(field, text)
    context = re.split(r"[,^]", text, maxsplit=1)[0]
    if context not in policy.gosub_contexts:
        raise refusal(field, f"PreDialGoSub context '{context}' is not allowed")


def is_profile(name: str, policy: Policy) -> bool:
    """Whether a client of this policy may record by that profile; `default` is everybody's."""
    return name == DEFAULT_PROFILE or name in policy.recording_profiles


def check_recording(
    path: str | None, recording_format: str | None, profile: str | None, policy: Policy
) -> None:
    """Refuse a recording path outside the client's folder, a format that is not one of `FORMATS`
    (in any case), and a MixMonitor command that is not the name of one of the operator's recording
    profiles."""
    if path:
        check_text("recording_path", path)
        if len(path) > MAX_PATH:
            raise refusal("recording_path", f"is longer than {MAX_PATH} characters")
        if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
            raise refusal(
                "recording_path", "must be a relative path of plain names inside your folder"
            )
    if recording_format and recording_format.lower() not in FORMATS:
        raise refusal("recording_format", f"must be one of {', '.join(FORMATS)}")
    if profile and not (_PROFILE.fullmatch(profile) and is_profile(profile, policy)):
        raise refusal("mix_monitor_command", "must be the name of a recording profile")
