"""Calls of every kind that the lab can make, as items of a batch: all outcomes, second legs, Local
channels, recordings, transfers, calls that last too long."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.lab.meddler import ATTENDED, BLIND, UNLIMITED

LONGEST = 10
"""Seconds that a call may last (DIALER_MAX_CALL_DURATION): the least that the product takes."""

PJSIP, LOCAL = "PJSIP/{}@carrier", "Local/{}@lab-out"
POLICY = ("local_contexts+=lab-out", "dial_options+=tT", "recording_profiles+=bridged")
NAME = "Zoë Müller-Østergård 李"


@dataclass(frozen=True, slots=True)
class Kind:
    """`disposition` is what the dialplans make of it; `ending` the carrier's row, by which the
    number ends; `second` begins and ends the number of a second leg, with what Dial is given
    beside; `timeout` is in seconds. Not `placed`: there is never a channel, and the
    product tries again after a minute, twice."""

    name: str
    disposition: str
    ending: str = "00"
    channel: str = PJSIP
    application: tuple[str, str] = ("Wait", "1")
    second: tuple[str, str, str] | None = None
    timeout: int = 8
    more: dict[str, Any] = field(default_factory=dict)
    placed: bool = True

    def make_item(self, number: str) -> dict[str, Any]:
        application, data = self.application
        if self.second is not None:
            begin, end, rest = self.second
            application, data = "Dial", f"PJSIP/{begin}{number[2:-2]}{end}@carrier,{rest}"
        action = {"Action": "Originate", "Channel": self.channel.format(number)}
        return {
            "asterisk_server_code": "pbx1",
            "caller_id": "varied <5551000>",
            "call_timeout": self.timeout,
            "action": action | {"Application": application, "Data": data},
            **self.more,
        }


def _dial(end: str, rest: str = "5", begin: str = "57") -> tuple[str, str, str]:
    return begin, end, rest


RECORDED: dict[str, Any] = {"create_recording": True}

KINDS = (
    Kind("answer", "answered"),
    Kind("busy", "busy", "01"),
    Kind("no_answer", "no-answer", "02", timeout=2),
    Kind("congestion", "congestion", "03"),
    Kind("unallocated", "invalid", "04"),
    Kind("unavailable", "not-available", "05"),
    Kind("slow_answer", "answered", "06"),
    Kind("our_end", "answered", "07"),
    Kind("dropped", "answered", "08", application=("Wait", "9")),
    Kind("ring_then_busy", "busy", "09"),
    Kind("early_media_busy", "busy", "10"),
    Kind("reject", "failed", "11"),
    Kind("dead", "not-available", channel="PJSIP/{}@dead", timeout=2),
    Kind("no_contact", "failed", channel="PJSIP/{}@nocontact", placed=False),
    Kind("no_endpoint", "failed", channel="PJSIP/{}@nowhere", placed=False),
    Kind("too_long", "answered", "07", application=("Wait", "60")),
    Kind(
        *("never_answers", "cancel", "02"),
        timeout=100,
        more={"caller_id": f"varied <{UNLIMITED}>"},
    ),
    Kind("name", "answered", more={"caller_id": f'"{NAME}" <5551000>'}),
    Kind("nobody", "answered", "08", more={"caller_id": None}),
    Kind("playback", "answered", "07", application=("Playback", "beep")),
    Kind("echo", "answered", "08", application=("Echo", "")),
    Kind("queue", "answered", application=("Queue", "lab,,,,5")),
    Kind("dial", "answered", "07", second=_dial("00")),
    Kind("dial_a_busy", "busy", "01", second=_dial("00")),
    Kind("dial_a_ends", "answered", "00", second=_dial("07")),
    Kind("dial_a_ends_ringing", "answered", "00", second=_dial("02", "9")),
    Kind("dial_b_busy", "answered", "07", second=_dial("09")),
    Kind("dial_b_no_answer", "answered", "07", second=_dial("02", "2")),
    Kind("dial_b_unallocated", "answered", "07", second=_dial("04")),
    Kind("local", "answered", channel=LOCAL),
    Kind("local_busy", "busy", "01", channel=LOCAL),
    Kind("local_no_answer", "no-answer", "02", channel=LOCAL, timeout=2),
    Kind("local_dial", "answered", "07", channel=LOCAL, second=_dial("00")),
    Kind("local_dial_b_busy", "answered", "07", channel=LOCAL, second=_dial("01")),
    Kind("recorded", "answered", more=RECORDED),
    Kind("recorded_busy", "busy", "01", more=RECORDED),
    Kind("recorded_dial", "answered", "07", second=_dial("00"), more=RECORDED),
    Kind(
        *("recorded_bridged", "answered", "07"),
        second=_dial("08"),
        more=RECORDED | {"mix_monitor_command": "bridged"},
    ),
    Kind("transfer_blind", "answered", "07", second=_dial("07", "5", BLIND), more=RECORDED),
    Kind("transfer_blind_bare", "answered", "07", second=_dial("07", "5", BLIND)),
    Kind("transfer_attended", "answered", "07", second=_dial("07", "5,t", ATTENDED)),
)


PLACED = tuple(kind for kind in KINDS if kind.placed)


def make_calls(prefix: str, count: int, kinds: Sequence[Kind] = KINDS) -> dict[str, Kind]:
    """`count` numbers (two digits, five, the ending), each with its kind, in an order that mixes
    them; the longest first, for they take a minute."""
    made = {
        f"{prefix}{index:05d}{kind.ending}": kind
        for index, kind in enumerate(kinds[n % len(kinds)] for n in range(count))
    }
    numbers = sorted(made)
    random.Random(count).shuffle(numbers)
    numbers.sort(key=lambda number: made[number].disposition != "cancel")
    return {number: made[number] for number in numbers}
