"""The applications a call may run, and what each may be told in `Data`.

The applications of the built-in allow-list have a grammar here, because their arguments can do
more than their names promise: Dial runs Gosubs, features and recordings by option letter, Queue
runs AGI scripts and Gosubs by position, Playback opens any file or URL. An application that an
operator added has none; its Data obeys the rules for all, and every dial string in it those of a
Channel.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from dialer.dial_options import DATA, check_dial_options
from dialer.policy import (
    DEFAULT_POLICY,
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

# manager.c, action_originate: without the AMI privilege `system`, Data that contains one of these
# is refused, case-sensitively and even inside a name.
_REFUSED_WORDS = re.compile("CURL|DB|EVAL|FILE|ODBC|REALTIME|SHELL")
# The same for applications, in any case and anywhere in the name.
_REFUSED_NAMES = re.compile(
    "agi|dbdeltree|exec|externalivr|mixmonitor|originate|reload|system", re.IGNORECASE
)

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
_RETRY_DIAL = re.compile(rf"(?:{_SOUND})?,[0-9]{{0,6}},[0-9]{{0,4}},(.*)")
_PAGE = re.compile(r"([^,]*)(?:,[dinqrs]*(?:,[0-9]{0,5})?)?")
# What an application of the operator's may dial: the name of a channel technology, a slash, and all
# that Asterisk could take for its resource. Quotes and backslashes are eaten on the way there.
_RESOURCE = re.compile(r"(?<![A-Za-z0-9_])(?=(([A-Za-z0-9_]+)/[^,]*))")
_EATEN = str.maketrans("", "", '"\\')
_TECHNOLOGIES: Final = frozenset(
    {"agent", "alsa", "audiosocket", "bridge", "capi", "console", "dahdi", "gtalk", "h323", "iax"}
    | {"iax2", "jingle", "local", "message", "mgcp", "misdn", "mobile", "motif", "multicastrtp"}
    | {"nbs", "ooh323", "oss", "phone", "pjsip", "rtp", "sccp", "sip", "skinny", "surrogate"}
    | {"unicastrtp", "unistim", "usbradio", "ustm", "vpb", "websocket", "woomera", "zap"}
)
_WITH_ARGUMENTS = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:\((.*)\))?")
_KNOWN = DEFAULT_POLICY.applications
_BUILT_IN = ("Wait", "1")
_LONGEST_TIMEOUT = 120  # seconds; call_timeout's, which a Dial without a timeout gets


class DialData(NamedTuple):
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
        return name if name in _KNOWN else spell_application(name)
    check_text("action.Application", name)
    folded = name.casefold()
    for allowed in policy.applications:
        if allowed.casefold() == folded:
            return spell_application(allowed)
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
    if grammar is not None:
        if data:
            grammar(data)
    elif application and application not in _KNOWN:
        _check_added(application, data, policy)
    return None


def _check_added(application: str, data: str, policy: Policy) -> None:
    """Data of an application that the operator added: whatever Asterisk may dial in it obeys the
    rules of a Channel, and so do the options of those that take Dial's."""
    bare = data.translate(_EATEN)
    technologies = _TECHNOLOGIES | {name.casefold() for name in policy.technologies}
    for text, tech in _RESOURCE.findall(bare):
        if tech.casefold() in technologies:
            if bare != data:
                raise refusal(DATA, "a dial string stands without quotes and backslashes")
            check_dial_string(text, policy, DATA)
    if application == "RetryDial":
        retried = _RETRY_DIAL.fullmatch(data)
        if retried is None or parse_dial_data(retried[1], policy) is None:
            raise refusal(DATA, "RetryDial takes an announcement, a pause, tries and Dial's own")
    elif application == "Page":
        page = _PAGE.fullmatch(data)
        if page is None:
            raise refusal(DATA, "Page takes one device, options of d i n q r s, and a timeout")
        check_dial_string(page[1], policy, DATA)


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
        check_dial_options(options, policy)
    if not target:
        return None
    return DialData(check_dial_string(target, policy, DATA), timeout, options)


def _check_characters(text: str) -> None:
    check_text(DATA, text)
    check_forbidden(DATA, text, "Data")


def _check_queue(data: str) -> None:
    match = _QUEUE.fullmatch(data)
    if match is None:
        raise refusal(
            DATA, "Queue takes a name, options, no URL, an announcement and a timeout only"
        )
    if match[1] and not _QUEUE_OPTIONS.fullmatch(match[1]):
        raise refusal(DATA, f"Queue options '{match[1]}' are not allowed")


def _check_playback(data: str) -> None:
    if not _PLAYBACK.fullmatch(data):  # '&' may stand here
        check_text(DATA, data)
        check_evaluated(DATA, data)
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


_SPELLINGS: Final = {
    name.casefold(): name for name in (*DEFAULT_POLICY.applications, "Page", "RetryDial")
}


def spell_application(application: str) -> str:
    """Those with a grammar in the spelling it is found by, however the operator spelled them."""
    return _SPELLINGS.get(application.casefold(), application)


def find_refused_word(application: str) -> str | None:
    """The part of an application's name for which Asterisk refuses it to our AMI user, or None."""
    word = _REFUSED_NAMES.search(application)
    return word[0] if word is not None else None


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
    word = find_refused_word(application)
    if word is not None:
        raise refusal(field, f"Asterisk refuses applications whose name contains '{word}'")
    if application.casefold() == "dial" and not data.partition(",")[0]:
        raise refusal(field, "Dial needs a target")
    _check_words(field, data)
    check_evaluated(field, data)
    check_start(field, data)
    check_line(field, "Data", f"{data},{_LONGEST_TIMEOUT},")
    return application, data
