"""The carrier does what asterisk-conf/README.md says: seen over AMI, and in its own log."""

from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.lab.running_lab import Lab
from tests.lab.table_calls import Seen, call_every_number
from tests.standstill import Watch

pytestmark = pytest.mark.lab


@dataclass(frozen=True, slots=True)
class Row:
    """What a number of the table must look like. Empty DialEnd or TechCause: there is none."""

    response: str
    reason: str
    dial_end: str
    cause: str
    tech_cause: str
    rang: bool
    did: str


TALKED = Row("Success", "4", "ANSWER", "16", "", True, "answer")
TABLE = {
    "00": TALKED,
    "01": Row("Failure", "0", "BUSY", "17", "486", False, "busy"),
    "02": Row("Failure", "3", "", "19", "480", True, "ring"),
    "03": Row("Failure", "0", "CONGESTION", "34", "503", False, "congestion"),
    "04": Row("Failure", "0", "NOANSWER", "1", "404", False, "unallocated"),
    "05": Row("Failure", "0", "NOANSWER", "19", "480", False, "unavailable"),
    "06": TALKED,
    "07": Row("Success", "4", "ANSWER", "0", "", True, "answer"),  # hung up by us
    "08": TALKED,
    "09": Row("Failure", "0", "BUSY", "17", "486", True, "busy"),
    "10": Row("Failure", "0", "BUSY", "17", "486", False, "busy"),
    "11": Row("Failure", "0", "NOANSWER", "21", "403", False, "reject"),
    "57": TALKED,
}

RINGS = {"00": 0.2, "06": 5.0, "07": 0.2, "08": 0.2, "57": 0.2}
"""Seconds from the call's arrival to its answer."""

TALKS = {"00": 2.0, "06": 2.0, "08": 0.1, "57": 2.0}
"""Seconds from the answer to the carrier's hangup."""

SLACK = 0.5
"""Seconds that a busy machine may add."""

MEASURED = 4
"""So often at most."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(lab: Lab) -> dict[str, list[Seen]]:
    """As measured on a machine that did not stand still meanwhile, of `MEASURED` times the last."""
    for _ in range(MEASURED):
        with Watch() as watch:
            found = await call_every_number(lab)
        if not watch.stood_still:
            break
    return found


@pytest.mark.parametrize("ending", TABLE)
def test_number_does_what_the_table_says(seen: dict[str, list[Seen]], ending: str) -> None:
    (call,) = seen[ending]
    response = call.only("OriginateResponse")
    hangup = call.only("Hangup")
    found = Row(
        response=response["Response"],
        reason=response["Reason"],
        dial_end="".join(message["DialStatus"] for message in call.named("DialEnd")),
        cause=hangup["Cause"],
        tech_cause=hangup["TechCause"],
        rang=call.rang,
        did=call.carrier.did or "",
    )
    assert found == TABLE[ending]
    assert call.carrier.caller == "5551000"


@pytest.mark.parametrize("ending", RINGS)
def test_it_rings_as_long_as_the_table_says(seen: dict[str, list[Seen]], ending: str) -> None:
    (call,) = seen[ending]
    assert call.carrier.did_at is not None
    rang = call.carrier.did_at - call.carrier.at
    assert RINGS[ending] - 0.005 <= rang <= RINGS[ending] + SLACK


@pytest.mark.parametrize("ending", TALKS)
def test_it_talks_as_long_as_the_table_says(seen: dict[str, list[Seen]], ending: str) -> None:
    (call,) = seen[ending]
    assert call.carrier.talked is not None
    assert TALKS[ending] - 0.005 <= call.carrier.talked <= TALKS[ending] + SLACK


def test_the_long_talk_outlasts_all_others(seen: dict[str, list[Seen]]) -> None:
    """Not waited for to its end: that it is 30 s stands in the capture 07_long_talk."""
    (call,) = seen["07"]
    assert call.carrier.talked is not None
    assert call.carrier.talked > 5 + 2 - 0.2


@pytest.mark.parametrize(("ending", "seconds"), [("09", 1.0), ("10", 0.5)])
def test_late_busy_is_late(seen: dict[str, list[Seen]], ending: str, seconds: float) -> None:
    (call,) = seen[ending]
    assert call.carrier.did_at is not None
    assert seconds - 0.005 <= call.carrier.did_at - call.carrier.at <= seconds + SLACK


def test_only_early_media_is_progress(seen: dict[str, list[Seen]]) -> None:
    assert [ending for ending, (call,) in seen.items() if call.progressed] == ["10"]


def test_every_event_has_asterisks_time(seen: dict[str, list[Seen]]) -> None:
    events = [event for (call,) in seen.values() for event in call.events if event.event]
    assert events
    assert all(float(event["Timestamp"]) > 0 for event in events)
