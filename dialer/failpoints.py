"""Named places where a test may make this process fail: `make chaos` kills it there.

Off in production, and free: a place costs one attribute test (`if failpoints.armed:`). They are
armed by `dialer run` alone and only when two variables of the environment agree:

    DIALER_FAILPOINTS="worker.originate.before=kill@37,store.writes.commit.after=delay:0.2%0.01"
    DIALER_FAILPOINTS_FOR=the very DIALER_DATABASE_URL whose data may be harmed
    DIALER_FAILPOINTS_SEED=7

NAME=ACTION[@HIT][%PROBABILITY]: `@37` acts at the 37th time that the place is reached (and never
again), `%0.01` at each with that probability; neither: the first time. Actions: `kill` (SIGKILL to
itself), `stop` (SIGSTOP), `raise` (`FailpointHit`), `delay:SECONDS` (the whole thread waits).
"""

import logging
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dialer.errors import SettingsError

log = logging.getLogger(__name__)

VARIABLE: Final = "DIALER_FAILPOINTS"
CONSENT: Final = "DIALER_FAILPOINTS_FOR"
SEED: Final = "DIALER_FAILPOINTS_SEED"

_EVENTS: Final = {
    "ChannelCreated": "Newchannel",
    "ChannelStateChanged": "Newstate",
    "DialBegun": "DialBegin",
    "DialProgressed": "DialState",
    "DialEnded": "DialEnd",
    "BridgeEntered": "BridgeEnter",
    "ChannelHungUp": "Hangup",
    "OriginateAnswered": "OriginateResponse",
    "RecordingStarted": "the UserEvent of a recording",
    "CallIdTold": "the UserEvent of a Call-ID",
    "ServerBooted": "FullyBooted",
    "ServerShutdown": "Shutdown",
}

POINTS: Final[Mapping[str, str]] = {
    "start.opened": "the database is open, not yet claimed",
    "start.claimed": "the database is this process's alone",
    "start.left": "attempts that an earlier life left were read",
    "start.resumed": "their slots are held again; no link is up yet",
    "start.ready": "API, worker and deliveries run",
    "store.writes.commit.before": "reservations, settlements, outcomes are written, not committed",
    "store.writes.commit.after": "they are committed, nobody was told",
    "store.runs.commit.before": "a single operation (a batch) is written, not committed",
    "store.runs.commit.after": "it is committed, nobody was told",
    "worker.reserve.before": "a call was planned, nothing of it is on disk",
    "worker.reserve.granted": "its attempt is on disk, the Originate was not written",
    "worker.originate.before": "an Originate is due, nothing says yet that it may have left",
    "worker.originate.noted": "what outlives the process says that it may have left; it has not",
    "worker.originate.after": "it was written",
    "worker.originate.answered": "Asterisk's Response to it came",
    "worker.settle.before": "the call ended, its CDR was made, nothing of it is on disk",
    "worker.settle.after": "its CDR and deliveries are on disk, nothing was sent",
    "worker.withdraw.before": "an attempt of which nothing left is about to be taken back",
    "worker.withdraw.after": "it is taken back on disk, its item waits under the same ids",
    "link.up": "logged in and booted; what was open was not compared yet",
    "link.down": "the link went down",
    **{f"event.{kind}": f"{name} came, nothing was made of it" for kind, name in _EVENTS.items()},
    "event.handled": "an event was followed to its end",
    "reconcile.before": "Asterisk is about to be asked for its channels",
    "reconcile.listed": "the list is there, nothing was made of it",
    "reconcile.adopted": "a call of an earlier life was found live and is followed",
    "reconcile.gone": "a call was found to be gone, and its end is on its way to disk",
    "delivery.callback.before": "a callback is about to be posted",
    "delivery.callback.after": "the client answered, that is not on disk",
    "delivery.sgapi.before": "a CDR is about to be put to SGAPI",
    "delivery.sgapi.after": "SGAPI answered, that is not on disk",
    "delivery.recorded": "the outcome of a delivery is on disk",
    "ingest.batch.before": "a batch was checked, nothing of it is on disk",
    "ingest.batch.stored": "it is on disk, the worker was not told",
    "ingest.answer.before": "the worker was told, the client has no answer",
}
"""Every failpoint, and what is true when it is reached."""

_RULE: Final = re.compile(
    r"(?P<name>[a-zA-Z.]+)=(?P<action>kill|stop|raise|delay)(?::(?P<seconds>\d+(\.\d+)?))?"
    r"(?:@(?P<hit>[1-9]\d*))?(?:%(?P<chance>0(\.\d+)?|1(\.0+)?))?"
)


class FailpointHit(Exception):
    """What `raise` raises: no error that anything in the product expects."""


class Action(StrEnum):
    KILL = "kill"
    STOP = "stop"
    RAISE = "raise"
    DELAY = "delay"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of DIALER_FAILPOINTS. `hit`: at that hit alone, from 1; `chance`: at each that
    chance picks. `seconds` is a delay's length."""

    name: str
    action: Action
    hit: int | None = None
    chance: float | None = None
    seconds: float = 0.0


class Failpoints:
    """The failpoints of a process. `reach` is called from any thread, and only while `armed`."""

    __slots__ = ("_act", "_counts", "_lock", "_rng", "_rules", "armed")

    def __init__(self, act: "Callable[[Rule], None] | None" = None) -> None:
        self.armed = False
        self._act = act or perform
        self._rules: dict[str, list[Rule]] = {}
        self._counts: dict[str, int] = {}
        self._rng = random.Random(0)  # noqa: S311 (repeatable, no secret)
        self._lock = threading.Lock()

    def arm(self, rules: "list[Rule]", seed: int = 0) -> None:
        """Replace all rules; none: everything is off."""
        with self._lock:
            self._rules = {}
            for rule in rules:
                self._rules.setdefault(rule.name, []).append(rule)
            self._counts = {}
            self._rng = random.Random(seed)  # noqa: S311
            self.armed = bool(rules)

    def reach(self, name: str) -> None:
        """The place `name` of `POINTS` is reached: do what is due there."""
        if name not in POINTS:
            raise KeyError(name)
        with self._lock:
            self._counts[name] = count = self._counts.get(name, 0) + 1
            due = [rule for rule in self._rules.get(name, ()) if self._is_due(rule, count)]
        for rule in due:
            self._act(rule)

    def _is_due(self, rule: Rule, count: int) -> bool:
        if rule.chance is not None:
            return (rule.hit is None or count == rule.hit) and self._rng.random() < rule.chance
        return count == (rule.hit or 1)


def perform(rule: Rule) -> None:
    """Do it."""
    match rule.action:
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Action.DELAY:
            time.sleep(rule.seconds)
        case Action.RAISE:
            raise FailpointHit(rule.name)


failpoints: Final = Failpoints()
"""This process's own."""


def arm_from(environ: Mapping[str, str], database_url: str) -> bool:
    """Arm this process's failpoints if the environment asks for it and names `database_url` as
    what may be harmed; whether they are armed. Without that consent it is said loudly and nothing
    is armed. Raises `SettingsError` for a wrong rule."""
    asked, consent = environ.get(VARIABLE), environ.get(CONSENT)
    if not asked:
        return False
    if consent != database_url:
        names = {"variable": VARIABLE, "consent": CONSENT}
        log.error("failpoints are ignored: no consent for this database", extra=names)
        return False
    seed = environ.get(SEED, "0")
    if not seed.isdecimal():
        raise SettingsError(f"{SEED} must be a whole number")
    failpoints.arm(read_rules(asked), int(seed))
    log.error("failpoints are armed: THIS PROCESS WILL FAIL ON PURPOSE", extra={"rules": asked})
    return True


def read_rules(text: str) -> list[Rule]:
    """The rules of DIALER_FAILPOINTS. Raises `SettingsError`."""
    return [_read_rule(part.strip()) for part in text.split(",") if part.strip()]


def _read_rule(text: str) -> Rule:
    found = _RULE.fullmatch(text)
    if found is None or (found["action"] == Action.DELAY) is not (found["seconds"] is not None):
        raise SettingsError(f"{VARIABLE}: {text!r} is not NAME=ACTION[@HIT][%PROBABILITY]")
    if found["name"] not in POINTS:
        raise SettingsError(f"{VARIABLE}: there is no failpoint {found['name']!r}")
    return Rule(
        found["name"],
        Action(found["action"]),
        hit=int(found["hit"]) if found["hit"] else None,
        chance=float(found["chance"]) if found["chance"] else None,
        seconds=float(found["seconds"] or 0.0),
    )
