"""One look at an Asterisk, for the operator: what it is, what our user may do there, its clock.

Nothing is changed over there. The only action with an effect is an Originate to a technology that
no Asterisk has: it fails before any channel exists, and its OriginateResponse shows whether
we would hear of real calls. A second one, to a context, shows whether that context is there: an
Originate to one that is not is refused at once, and no list has to be read for it.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ami.actions import CoreSettings, CoreStatus, ListCommands, Login, Originate, Ping
from ami.client import DEFAULT_TIMING, Address, Timing
from ami.errors import ActionRejected, LinkDown, LinkLost, LoginRefused
from ami.transport import Session
from ami.wire import Message

# What must be allowed, and the class in manager.conf that gives it.
NEEDED: Final = {
    "Originate": "write originate",
    "Hangup": "write call",
    "CoreShowChannels": "write reporting",
    "CoreStatus": "write reporting",
}
# What a dialer's user must not be able to do: each lets a client's data run programs.
DANGEROUS: Final = {"Filter": "write system", "Command": "write command"}
UNWANTED: Final = frozenset(f"{action} ({given})" for action, given in DANGEROUS.items())
"""Names among a report's privileges that a dialer should lack: they run programs."""
FULLY_BOOTED: Final = "read system: FullyBooted and Shutdown events"
CALL_EVENTS: Final = "read call: OriginateResponse events"

# Asterisk's words for an Originate to a context or extension that it does not have.
NO_EXTENSION: Final = "Extension does not exist"

MAX_SKEW: Final = 2.0  # seconds; CDR times are Asterisk's, deadlines are ours
_EVENT_WAIT: Final = 3.0  # seconds for an event that follows within milliseconds

# Per branch, the first version without the deadlocks that stop the whole PBX.
_FIRST_GOOD: Final = {20: (20, 20, 1), 22: (22, 10, 1), 23: (23, 4, 1)}
_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ServerReport:
    """`privileges`: what was looked at → whether it is held. `skew`: seconds by which the server's
    clock is ahead of ours, None where it did not say. `contexts`: of each that was asked for,
    whether it has an extension `s`, None where that could not be told. `warnings`: sentences for
    the operator; empty when calls can be dialed there as they should."""

    ami_version: str
    asterisk_version: str
    system_name: str
    startup: str
    round_trip: float
    skew: float | None
    timestamps: bool
    privileges: dict[str, bool]
    warnings: tuple[str, ...]
    contexts: dict[str, bool | None] = field(default_factory=dict)


def judge_version(text: str) -> str | None:
    """Why this Asterisk version should not be dialed with, or None."""
    found = _VERSION.match(text)
    if found is None:
        return f"Asterisk {text or 'of unknown version'}: not a release that can be judged"
    version = (int(found[1]), int(found[2]), int(found[3] or 0))
    first_good = _FIRST_GOOD.get(version[0])
    if first_good is None:
        if version[0] > max(_FIRST_GOOD):
            return None
        return f"Asterisk {text}: this branch is not supported; use 20, 22 or 23"
    if version < first_good:
        good = ".".join(str(part) for part in first_good)
        return f"Asterisk {text}: has known faults that stop or corrupt calls; use {good} or later"
    return None


async def inspect_server(
    address: Address,
    timing: Timing = DEFAULT_TIMING,
    *,
    contexts: Sequence[str] = (),
    wall: Callable[[], float] = time.time,
    event_wait: float = _EVENT_WAIT,
) -> ServerReport:
    """Logs in, looks (also for `contexts` of the dialplan), logs off. Raises LinkDown,
    LoginRefused, LinkLost, ActionTimeout."""
    seen: dict[str, asyncio.Future[Message]] = {
        name: asyncio.get_running_loop().create_future()
        for name in ("FullyBooted", "OriginateResponse")
    }
    prefix = uuid.uuid4().hex

    def note(message: Message) -> None:
        # OriginateResponse goes to every session: only our own counts.
        ours = message.name != "OriginateResponse" or message.action_id.startswith(prefix)
        if ours and not seen[message.name].done():
            seen[message.name].set_result(message)

    try:
        endpoint = address.endpoint()
    except OSError as error:
        raise LinkDown(f"tls_ca: {error}") from error
    session = await Session.open(
        endpoint,
        note,
        wanted=frozenset(seen),
        connect_timeout=timing.connect_timeout,
        action_timeout=timing.action_timeout,
    )
    try:
        report = await _inspect(session, address, prefix, seen, wall, event_wait)
        found = {
            context: await _find_context(session, f"{prefix}-{number}", context)
            for number, context in enumerate(contexts, 7)
        }
        return replace(report, contexts=found)
    finally:
        session.abort(LinkLost("inspected"))


async def _inspect(
    session: Session,
    address: Address,
    prefix: str,
    seen: dict[str, asyncio.Future[Message]],
    wall: Callable[[], float],
    event_wait: float,
) -> ServerReport:
    try:
        await session.send(Login(f"{prefix}-1", address.username, address.secret))
    except ActionRejected as rejection:
        raise LoginRefused(rejection.message) from None
    sent = wall()
    pong = await session.send(Ping(f"{prefix}-2"))
    received = wall()
    listed = await session.send(ListCommands(f"{prefix}-3"))
    allowed = {header.lower() for header, _ in listed.headers}
    privileges = {
        f"{action} ({given})": action.lower() in allowed
        for action, given in (NEEDED | DANGEROUS).items()
    }
    settings, status = await _read_core(session, prefix)
    if "originate" in allowed:
        await _probe_originate(session, f"{prefix}-6")
    await asyncio.wait(seen.values(), timeout=event_wait)
    privileges[FULLY_BOOTED] = seen["FullyBooted"].done()
    answer = seen["OriginateResponse"]
    privileges[CALL_EVENTS] = answer.done()
    timestamps = answer.done() and answer.result().get("Timestamp") != ""
    skew = _skew(pong.get("Timestamp"), (sent + received) / 2)
    version = settings.get("AsteriskVersion") if settings else ""
    startup = f"{status.get('CoreStartupDate')} {status.get('CoreStartupTime')}" if status else ""
    return ServerReport(
        ami_version=(session.banner or "").partition("/")[2],
        asterisk_version=version,
        system_name=settings.get("SystemName") if settings else "",
        startup=startup,
        round_trip=received - sent,
        skew=skew,
        timestamps=timestamps,
        privileges=privileges,
        warnings=_warnings(version, privileges, skew, timestamps),
    )


async def _read_core(session: Session, prefix: str) -> tuple[Message | None, Message | None]:
    """CoreSettings and CoreStatus, None where the user may not ask."""
    try:
        settings = await session.send(CoreSettings(f"{prefix}-4"))
        return settings, await session.send(CoreStatus(f"{prefix}-5"))
    except ActionRejected:
        return None, None


async def _probe_originate(session: Session, name: str) -> None:
    try:
        await session.send(
            Originate(name, name, "DialerProbe/none", 1000, application="Wait", data="1")
        )
    except ActionRejected:
        return  # no OriginateResponse follows, which the report shows


async def _find_context(session: Session, name: str, context: str) -> bool | None:
    probe = Originate(name, name, "DialerProbe/none", 1000, context=context, exten="s", priority=1)
    try:
        await session.send(probe)
    except ActionRejected as rejection:
        return False if NO_EXTENSION in rejection.message else None
    return True


def _skew(stamp: str, ours: float) -> float | None:
    try:
        return float(stamp) - ours
    except ValueError:
        return None


def _warnings(
    version: str, privileges: dict[str, bool], skew: float | None, timestamps: bool
) -> tuple[str, ...]:
    dangerous = {f"{action} ({given})" for action, given in DANGEROUS.items()}
    found = [judge_version(version)]
    for name, held in privileges.items():
        if name in dangerous and held:
            found.append(f"may {name}: take it away, a client's data could run programs")
        elif name not in dangerous and not held:
            found.append(f"lacks {name}")
    if privileges[CALL_EVENTS] and not timestamps:
        found.append("timestampevents is off: call times will be those of arrival here")
    if skew is not None and abs(skew) > MAX_SKEW:
        found.append(f"its clock is {skew:+.1f} s from ours")
    return tuple(sentence for sentence in found if sentence is not None)
