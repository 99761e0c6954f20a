"""The carrier's number table: what the simulated far end does, by the last two digits dialed.

The same table as the lab's carrier (asterisk-conf/carrier/extensions.conf); the two are compared
by the conformance tests.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Signal(StrEnum):
    """What the far end tells before it answers or refuses (a `DialState`'s DialStatus)."""

    RINGING = "RINGING"
    PROGRESS = "PROGRESS"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`did` is the carrier log's word. After `wait` seconds (None: never) the call is answered
    and cleared again after `talk` seconds, or where `talk` is None refused with `cause` (Q.850)
    and `sip_code`; `dial_status` is DialEnd's word for that."""

    did: str
    signal: Signal | None = None
    wait: float | None = 0.0
    talk: float | None = None
    cause: int = 0
    sip_code: int | None = None
    dial_status: str = "NOANSWER"


_BUSY: Final = Behaviour("busy", cause=17, sip_code=486, dial_status="BUSY")
CONGESTION: Final = Behaviour("congestion", cause=34, sip_code=503, dial_status="CONGESTION")
SILENCE: Final = Behaviour("nothing", wait=None)
_DEFAULT: Final = Behaviour("answer", Signal.RINGING, wait=0.2, talk=2.0)

_PLAN: Final[dict[str, Behaviour]] = {
    "00": _DEFAULT,
    "01": _BUSY,
    "02": Behaviour("ring", Signal.RINGING, wait=None),
    "03": CONGESTION,
    "04": Behaviour("unallocated", cause=1, sip_code=404),
    "05": Behaviour("unavailable", cause=19, sip_code=480),
    "06": Behaviour("answer", Signal.RINGING, wait=5.0, talk=2.0),
    "07": Behaviour("answer", Signal.RINGING, wait=0.2, talk=30.0),
    "08": Behaviour("answer", Signal.RINGING, wait=0.2, talk=0.1),
    "09": Behaviour("busy", Signal.RINGING, 1.0, cause=17, sip_code=486, dial_status="BUSY"),
    "10": Behaviour("busy", Signal.PROGRESS, 0.5, cause=17, sip_code=486, dial_status="BUSY"),
    "11": Behaviour("reject", cause=21, sip_code=403),
}


def find_behaviour(number: str) -> Behaviour:
    """What the carrier does with a call to `number`; an ending not in the table is as 00."""
    return _PLAN.get(number[-2:], _DEFAULT)
