"""The applications a call may run, and what each may be told in `Data`.

The applications of the built-in allow-list have a grammar here, because their arguments can do
more than their names promise: Dial runs Gosubs, features and recordings by option letter, Queue
runs AGI scripts and Gosubs by position, Playback opens any file or URL. An application that an
operator added has none; its Data obeys the rules for all.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dialer.policy import (
    DialTarget,
    Policy,
    check_dial_string,
    check_evaluated,
    check_forbidden,
    check_line,
    check_start,
    check_text,
    refusal,
)

DATA: Final = "action.Data"

# manager.c, action_originate: without the AMI privilege `system`, Data that contains one of these
# is refused, case-sensitively and even inside a name.
_REFUSED_WORDS = re.compile("CURL|DB|EVAL|FILE|ODBC|REALTIME|SHELL")
# The same for applications, in any case and anywhere in the name.
_REFUSED_NAMES = re.compile(
    "agi|dbdeltree|exec|externalivr|mixmonitor|originate|reload|system", re.IGNORECASE
)

# Dial's options that run no dialplan, no feature code, no recording and do not touch the caller
# ID (Asterisk 22, app_dial.c): r ring tone, R ring until early media, m music, i ignore forwards,
# I ignore connected line updates, c "answered elsewhere", L limit of duration, S hang up after.
_NAME = r"\([A-Za-z0-9_-]{1,80}\)"
_DIAL_OPTION: Final = {
    "r": rf"r(?:{_NAME})?",
    "R": "R",
    "m": rf"m(?:{_NAME})?",
    "i": "i",
    "I": "I",
    "c": "c",
    "L": r"L\([0-9]{1,9}(?::[0-9]{0,9}){0,2}\)",
    "S": r"S\([0-9]{1,6}\)",
}
_DIAL_TOKEN = re.compile("|".join(_DIAL_OPTION.values()))
_DIAL_TIMEOUT = re.compile(r"[1-9][0-9]{0,4}(?:\.[0-9]{1,3})?")
# Queue's options of the same kind (app_queue.c): n no retries, r ring, R ring when ringing.
_QUEUE_OPTIONS = re.compile("[CiInrR]*")
# name, options, URL (none), announcement, timeout; behind them AGI, Gosub, rule and position.
_SOUND = r"[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*(?:/[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*)*"
_QUEUE = re.compile(rf"[A-Za-z0-9_.\-]+(?:,([^,]*)(?:,(?:,(?:{_SOUND})?(?:,[0-9]{{0,5}})?)?)?)?")
_PLAYBACK = re.compile(rf"{_SOUND}(?:&{_SOUND})*(?:,(?:skip|noanswer)?)?")  # & plays in turn
_WAIT = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_CONFERENCE = re.compile(r"[A-Za-z0-9_.\-]+(?:,[A-Za-z0-9_.\-]*){0,3}")
_MUSIC = re.compile(r"(?:[A-Za-z0-9_.\-]+)?(?:,[0-9]{0,6})?")
_WITH_ARGUMENTS = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:\((.*)\))?")
_BUILT_IN = ("Wait", "1")
_LONGEST_TIMEOUT = 120  # seconds; call_timeout's, which a Dial without a timeout gets


@dataclass(frozen=True, slots=True)
class DialData:
    """Dial's arguments; `timeout` and `options` are '' when not given."""

    target: DialTarget
    timeout: str
    options: str

    def text(self, default_timeout: int) -> str:
        """As the wire gets it: never without a timeout, for then Dial rings for ever."""
        timeout = self.timeout or str(default_timeout)
        return f"{self.target.text},{timeout}" + (f",{self.options}" if self.options else "")


def check_application(name: str, policy: Policy) -> str:
    """The application in Asterisk's spelling. Refuses what is not on the allow-list; an exact
    name is found at once, another case by looking."""
    if name in policy.applications:
        return name
    check_text("action.Application", name)
    folded = name.casefold()
    for allowed in policy.applications:
        if allowed.casefold() == folded:
            return allowed
    raise refusal("action.Application", f"application '{name}' is not allowed")


def check_data(application: str, data: str, policy: Policy) -> DialData | None:
    """Refuse Data that `application` (in Asterisk's spelling) may not be given. For Dial with a
    target its arguments are returned, for anything else None."""
    _check_words(DATA, data)
    check_start(DATA, data)
    check_line(DATA, "Data", data)
    if application == "Dial":
        dial = parse_dial_data(data, policy)
        if dial is not None:
            check_line(DATA, "Data", dial.text(_LONGEST_TIMEOUT))
        return dial
    grammar = _GRAMMARS.get(application)
    if grammar is not _check_playback:
        _check_characters(data)
    if grammar is not None and data:
        grammar(data)
    return None


def _check_words(field: str, data: str) -> None:
    word = _REFUSED_WORDS.search(data)
    if word is not None:
        raise refusal(field, f"Asterisk refuses Data that contains '{word[0]}'")


def parse_dial_data(data: str, policy: Policy) -> DialData | None:
    """`TECH/…[,timeout[,options]]`; None when there is no target. The target obeys the same rules
    as Channel."""
    target, _, rest = data.partition(",")
    timeout, _, options = rest.partition(",")
    if timeout and not _DIAL_TIMEOUT.fullmatch(timeout):
        _check_characters(rest)
        raise refusal(DATA, "Dial's timeout must be seconds, at least 1")
    if options:
        _check_dial_options(options, policy)
    if not target:
        return None
    return DialData(check_dial_string(target, policy, DATA), timeout, options)


def _check_dial_options(options: str, policy: Policy) -> None:
    place = 0
    while place < len(options):
        token = _DIAL_TOKEN.match(options, place)
        if token is None or options[place] not in policy.dial_options:
            _check_characters(options)
            raise refusal(DATA, f"Dial option '{options[place]}' is not allowed")
        place = token.end()


def _check_characters(text: str) -> None:
    check_text(DATA, text)
    check_forbidden(DATA, text)


def _check_queue(data: str) -> None:
    match = _QUEUE.fullmatch(data)
    if match is None:
        raise refusal(
            DATA, "Queue takes a name, options, no URL, an announcement and a timeout only"
        )
    if match[1] and not _QUEUE_OPTIONS.fullmatch(match[1]):
        raise refusal(DATA, f"Queue options '{match[1]}' are not allowed")


def _check_playback(data: str) -> None:
    if not _PLAYBACK.fullmatch(data):
        _check_characters(data)
        raise refusal(DATA, "Playback takes relative names of sounds joined by '&', without '..'")


def _pattern(pattern: re.Pattern[str], message: str) -> Callable[[str], None]:
    def check(data: str) -> None:
        if not pattern.fullmatch(data):
            raise refusal(DATA, message)

    return check


_GRAMMARS: Final[dict[str, Callable[[str], None]]] = {
    "Queue": _check_queue,
    "Playback": _check_playback,
    "Wait": _pattern(_WAIT, "Wait takes seconds"),
    "ConfBridge": _pattern(_CONFERENCE, "ConfBridge takes a conference and names of profiles"),
    "MusicOnHold": _pattern(_MUSIC, "MusicOnHold takes a class and seconds"),
}


def parse_default(text: str | None) -> tuple[str, str]:
    """A client's default application, `App` or `App(args)`, as (application, data). None gives
    the built-in Wait(1). It is the operator's own word: no allow-list applies, only what Asterisk
    refuses or would read as something else."""
    if not text:
        return _BUILT_IN
    field = "default_application"
    match = _WITH_ARGUMENTS.fullmatch(text)
    if match is None:
        raise refusal(field, "must be App or App(arguments)")
    check_text(field, text)
    application, data = match[1], match[2] or ""
    word = _REFUSED_NAMES.search(application)
    if word is not None:
        raise refusal(field, f"Asterisk refuses applications whose name contains '{word[0]}'")
    if application.casefold() == "dial" and not data.partition(",")[0]:
        raise refusal(field, "Dial needs a target")
    _check_words(field, data)
    check_evaluated(field, data)
    check_start(field, data)
    check_line(field, "Data", f"{data},{_LONGEST_TIMEOUT},")
    return application, data
