"""Reads the carrier's calls.log: the truth about every call (format: asterisk-conf/README.md)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

_LINE = re.compile(r"\[(?P<at>\d+\.\d+)\] .*?: CALL (?P<step>arrived|did|ended) (?P<fields>.*)")


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """One call as the carrier saw it. Times are epoch seconds.

    `did` is None while the carrier has done nothing final with the call; `ended_at` while it lives.
    """

    at: float
    number: str
    caller: str
    did: str | None = None
    did_at: float | None = None
    ended_at: float | None = None
    sip_call_id: str = ""

    @property
    def talked(self) -> float | None:
        """Seconds from answer to end; None for a call not answered or not over."""
        if self.did != "answer" or self.did_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.did_at


def parse_lines(lines: Iterable[str]) -> list[CarrierCall]:
    """The calls in the order of their arrival. A last line without its end is not looked at."""
    calls: dict[str, CarrierCall] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None or not line.endswith("\n"):
            continue
        at = float(found["at"])
        fields = dict(part.split("=", 1) for part in found["fields"].split())
        identity = fields["id"]
        if found["step"] == "arrived":
            caller = unquote(fields["caller"])
            number, sip = unquote(fields["number"]), unquote(fields.get("sip", ""))
            calls[identity] = CarrierCall(at, number, caller, sip_call_id=sip)
        elif found["step"] == "did":
            calls[identity] = replace(calls[identity], did=fields["did"], did_at=at)
        else:
            calls[identity] = replace(calls[identity], ended_at=at)
    return list(calls.values())


def read_calls(log: Path, since: float = 0.0) -> list[CarrierCall]:
    """The calls that arrived at `since` (epoch seconds) or later. No file, no calls."""
    if not log.exists():
        return []
    with log.open(encoding="utf-8", newline="\n") as lines:
        return [call for call in parse_lines(lines) if call.at >= since]
