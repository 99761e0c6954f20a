"""Traces without what they tell of people and places: every value is replaced but those that
Asterisk itself made up (states, causes, reasons, times, names of events and applications).

What is not known to be harmless is replaced: a header of a module that nobody here has heard of is.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from ami.trace.encoding import read_note, write_note
from ami.trace.pieces import Piece, split_records
from ami.trace.pseudonyms import Pseudonyms
from ami.trace.recorder import LINK
from ami.trace.records import Direction, Record

_WORD: Final = r"[A-Za-z_][A-Za-z_]*"
_COUNT: Final = r"\d{1,8}"
_CLOCK: Final = r"[\d:. -]{1,30}"
# Channels' headers, which come with a prefix of these, too, and in UserEvents as well.
_OF: Final = (
    r"(?:dest|localone|localtwo|swap|transferer|transferee|transfertarget|origtransferer|"
    r"secondtransferer|spyer|spyee|parker|parkee)?"
)
_CHANNELS_OWN: Final = {
    r"event": r"\w+",
    r"privilege": r"[a-z,<>]+",
    r"timestamp": r"\d{1,11}(?:\.\d{1,9})?",
    _OF + r"channelstate": r"\d{1,2}",
    _OF + r"channelstatedesc": r"Down|Rsrvd|OffHook|Dialing|Ring|Ringing|Up|Busy|Dialing Offhook|"
    r"Pre-ring|Mute|Unknown",
    _OF + r"priority": _COUNT,
    _OF + r"language": r"[a-z]{2}(?:[_-][A-Za-z]{2})?",
}
# Asterisk's own words and counts: header → what its value looks like; one that looks otherwise is
# replaced after all. main/manager*.c, Asterisk 20–23, and the `Dial` of 1.8.
_ASTERISKS_OWN: Final = _CHANNELS_OWN | {
    r"action": r"\w+",
    r"response": r"Success|Error|Failure|Fail|Goodbye|Follows|Pong",
    r"cause": r"\d{1,3}",
    r"cause-txt": r"[A-Za-z ,()/-]{1,60}",  # main/channel.c, causes[]
    r"reason": r"-?\d{1,3}",
    r"dialstatus": r"[A-Z]{1,16}",
    r"subevent": r"Begin|End",
    r"bridgetype|bridgetechnology|bridgecreator|bridgevideosourcemode": r"[a-z_]+|<unknown>",
    r"bridgenumchannels|listitems|corecurrentcalls": _COUNT,
    r"async|events|shutdown|restart|eventlist|localoptimization": _WORD,
    r"status": r"Fully Booted",
    r"timeout|uptime|lastreload": _COUNT,
    r"ping": r"Pong",
    r"application": r"[A-Za-z]+\d?",
    r"message": r"|".join(
        re.escape(text)
        for text in (
            "Authentication accepted",
            "Authentication failed",
            "Asterisk is shutting down",
            "Channel Hungup",
            "Channels will follow",
            "Extension does not exist.",
            "No such channel",
            "Originate failed",
            "Originate successfully queued",
            "Permission denied",
            "Thanks for all the fish.",
        )
    ),
    r"core(?:startup|reload)(?:date|time)": _CLOCK,
}
_SIP_CODE: Final = re.compile(r"(?:SIP )?\d{3}(?!\d)")
_NOTHING: Final = frozenset({"<unknown>", "<null>", "(null)", "<none>", "***"})
# Variables by which the recording dialplan is told which application to run.
_APPLICATIONS: Final = frozenset({"DIALER_APPLICATION"})
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_~]*")
_LONG_NUMBER: Final = re.compile(r"\d{3}")
_COMMAS: Final = re.compile(r"((?<!\\),)")
_COUNTED: Final = frozenset({"since", "bytes"})  # numbers of a gap's note
_CACHED: Final = 32_768
_BANNER: Final = re.compile(rb"Asterisk Call Manager/[\d.]{1,12}\r?\n")


class Anonymizer:
    """Rewrites the records of a trace. `replace_text` is what a value becomes, for comparing."""

    def __init__(self, key: bytes) -> None:
        self._pseudonyms = Pseudonyms(key)
        self.replace_text = self._pseudonyms.replace_text
        self._cached_line = lru_cache(_CACHED)(self._rewrite_line)

    def rewrite(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records anew, a message each. Bytes that are no message are left out."""
        for piece in split_records(records):
            if piece.direction is Direction.NOTE:
                yield self._rewrite_note(piece)
            elif piece.message is None:
                if not _BANNER.fullmatch(piece.data):
                    piece = self._with_data(piece, b"Asterisk Call Manager/0.0\r\n")
                yield piece.record()
            else:
                yield self._with_data(piece, self._rewrite_message(piece.data)).record()

    def _with_data(self, piece: Piece, data: bytes) -> Piece:
        return Piece(piece.at, piece.direction, data, piece.message)

    def _rewrite_message(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        first = text.find("\n")
        end = "\n" if first >= 0 and text[first - 1 : first] != "\r" else "\r\n"
        lines = text.split(end)
        said = {line.partition(":")[0].strip().lower(): line for line in reversed(lines)}
        variable = said.get("variable", "").partition(":")[2].strip()
        kind = "userevent" in said, variable in _APPLICATIONS
        rewritten = [self._cached_line(line, *kind) for line in lines]
        return end.join(rewritten).encode("utf-8", "surrogateescape")

    def _rewrite_line(self, line: str, user_event: bool, applies: bool) -> str:
        """A header of a message that is a UserEvent or not, and tells an application's name in its
        `Value` or not. Most headers of a call stand in all of its messages."""
        name, colon, value = line.partition(":")
        if not colon:
            return self.replace_text(line)
        rewritten = self._rewrite_value(name.strip(), value, user_event, applies)
        return f"{self._rewrite_name(name)}:{rewritten}"

    def _rewrite_name(self, name: str) -> str:
        """`ChanVariable(PJSIP/trunk-00000001)` names a channel; a UserEvent's may be anything."""
        plain, bracket, rest = name.partition("(")
        if not plain.isascii() or _LONG_NUMBER.search(plain):
            plain = self.replace_text(plain)
        return plain + bracket + self.replace_text(rest)

    def _rewrite_value(self, name: str, value: str, user_event: bool, applies: bool) -> str:
        text, lower = value.strip(" "), name.lower()
        if not text or text.lower() in _NOTHING:
            return value
        if _is_harmless(lower, text, user_event, applies):
            return value
        blanks = value[: len(value) - len(value.lstrip(" "))]
        if lower.partition("(")[0] in ("variable", "chanvariable"):
            return blanks + self._rewrite_assignments(text)
        if lower == "techcause" and (code := _SIP_CODE.match(text)):
            return blanks + code[0] + self.replace_text(text[code.end() :])
        return blanks + self.replace_text(text)

    def _rewrite_assignments(self, text: str) -> str:
        r"""`A=1,B=x\,y`, or a name alone: names stay, values go."""
        return "".join(
            part if part == "," else self._rewrite_assignment(part) for part in _COMMAS.split(text)
        )

    def _rewrite_assignment(self, text: str) -> str:
        name, equals, value = text.partition("=")
        plain, bracket, rest = name.partition("(")
        if not _VARIABLE.fullmatch(plain.strip()) or _LONG_NUMBER.search(plain):
            plain = self.replace_text(plain)
        if plain.strip() in _APPLICATIONS and _VARIABLE.fullmatch(value):
            return text
        return plain + bracket + self.replace_text(rest) + equals + self.replace_text(value)

    def _rewrite_note(self, piece: Piece) -> Record:
        note = read_note(Record(piece.at, piece.direction, piece.data))
        kept = {"recorder", LINK}
        return write_note(
            piece.at,
            {name: value if name in kept else self._rewrite(value) for name, value in note.items()},
        )

    def _rewrite(self, value: object) -> object:
        """A JSON value with all that it tells replaced."""
        if isinstance(value, dict):
            return {
                name: one
                if name in _COUNTED and isinstance(one, float | int)
                else self._rewrite(one)
                for name, one in value.items()
            }
        if isinstance(value, list):
            return [self._rewrite(one) for one in value]
        return value if value is None or isinstance(value, bool) else self.replace_text(str(value))


def _is_harmless(name: str, text: str, user_event: bool, applies: bool) -> bool:
    if name == "userevent":
        return _VARIABLE.fullmatch(text) is not None and not _LONG_NUMBER.search(text)
    if name == "value":
        return applies and _VARIABLE.fullmatch(text) is not None
    form = _find_form(name, any_event=not user_event)
    return form is not None and form.fullmatch(text) is not None


@lru_cache(4096)
def _find_form(name: str, any_event: bool) -> re.Pattern[str] | None:
    """What a harmless value of this header looks like; None: none is. A UserEvent's own headers may
    have any name."""
    forms = _ASTERISKS_OWN if any_event else _CHANNELS_OWN
    for names, form in forms.items():
        if re.fullmatch(names, name):
            return re.compile(form)
    return None
