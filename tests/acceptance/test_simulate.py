"""A recorded Asterisk played to the live product: its CDRs say what a replay of the trace says. And
scenarios in which much goes wrong: every item ends once."""

from collections import Counter
from pathlib import Path
from typing import Any

from ami.simulator import Course, Courses, Simulator
from dialer.replay.cdrs import compare_fields
from dialer.replay.courses import read_courses
from dialer.scenarios import parse_scenario
from tests.acceptance.plant import Plant
from tests.unit.dialer.replay.golden import NAMES, read_records, write_cdrs

OURS = ("cancel", "restart_killed", "restart_stopped")
"""Traces of calls that ended by what the dialer or the PBX itself did."""

PLAYED = tuple(name for name in NAMES if name not in OURS)
SPEED = 200.0
COMPARED = (
    "number",
    "disposition",
    "duration",
    "billsec",
    "ring_seconds",
    "cause",
    "sip_code",
    "reason",
    "dial_status",
    "sip_call_id",
)


def summarize(cdr: dict[str, Any]) -> tuple[object, ...]:
    leg = cdr["leg_b"] or {}
    status = leg.get("dial_status"), leg.get("cause"), leg.get("sip_code")
    return (*(cdr[name] for name in COMPARED), *status)


async def test_the_cdrs_of_a_played_trace_are_those_of_its_replay(tmp_path: Path) -> None:
    courses: list[Course] = []
    expected: Counter[tuple[object, ...]] = Counter()
    for name in PLAYED:
        records = read_records(name)
        recorded = read_courses(records)
        assert (recorded.skipped, recorded.others) == (0, 0)
        courses += recorded.courses
        expected.update(summarize(cdr) for cdr in write_cdrs(records))
    asterisk = Simulator(courses=Courses(courses), speed=SPEED)
    async with Plant(tmp_path, asterisk=asterisk) as plant:
        key = await plant.add_client()
        await plant.post(key, [course.number for course in courses])
        await plant.until(lambda: len(plant.callbacks.bodies) == len(courses))
        cdrs = await plant.product.store.cdrs(None, 0, 500)
    assert Counter(summarize(compare_fields(cdr)) for _, cdr in cdrs) == expected
    assert len({cdr.channel_id for _, cdr in cdrs}) == len(courses)


STORM = """
[server]
scale = 0.02
[[numbers]]
match = "*"
outcomes = [
  { weight = 5, does = "answer", ring = { uniform = [0, 2] }, talk = { exponential = 3 } },
  { weight = 2, does = "busy" },
  { weight = 2, does = "congestion" },
]
[[faults]]
do = "cut"
at_call = 20
[[faults]]
do = "restart"
at_call = 40
[[faults]]
do = "reorder"
share = 0.3
within = 0.005
[[faults]]
do = "flood"
every_calls = 10
events = 3000
[[faults]]
do = "slow"
at_call = 45
delay = 0.05
lasts = 0.2
"""


async def test_every_item_ends_once_in_a_storm(tmp_path: Path) -> None:
    numbers = [f"55500{n:03}" for n in range(60)]
    asterisk = Simulator(parse_scenario(STORM, "storm", seed=3))
    async with Plant(tmp_path, asterisk=asterisk) as plant:
        key = await plant.add_client()
        await plant.post(key, numbers)
        await plant.until(lambda: len(plant.finals()) == len(numbers))
        cdrs = [cdr for _, cdr in await plant.product.store.cdrs(None, 0, 500)]
        rang = Counter(call.channel_id for call in asterisk.calls)
    assert {cdr.number for cdr in cdrs} == set(numbers)
    assert len({cdr.channel_id for cdr in cdrs}) == len(cdrs)
    assert set(rang.values()) == {1}
    dispositions = Counter(cdr.disposition for cdr in cdrs)
    assert dispositions.keys() >= {"answered", "busy", "congestion"}
