"""A campaign on the lab, recorded while it ran by the worker itself and by `dialer record` beside
it: replayed, each gives what production delivered."""

from pathlib import Path
from typing import Any

import pytest

from ami.trace import Anonymizer
from dialer.replay.cdrs import compare_fields, write_cdr
from dialer.replay.follower import Follower
from dialer.replay.sessions import open_sessions
from tests.lab.replayed_campaign import ACCOUNT, Recorded, check_recorded, record_campaign
from tests.lab.running_lab import Lab
from tests.lab.varied_calls import NAME, PLACED, make_calls

pytestmark = pytest.mark.lab


async def test_what_was_recorded_replays_to_what_was_delivered(lab: Lab, tmp_path: Path) -> None:
    """A call of each kind (`python -m bench.lab_replay` has more of them, and two kinds more)."""
    calls = make_calls("47", len(PLACED), PLACED)
    recorded = await record_campaign(lab, tmp_path, calls)
    assert check_recorded(recorded) == []
    assert len(recorded.cdrs) > len(calls)
    check_anonymous(recorded)


def check_anonymous(recorded: Recorded) -> None:
    """Without the originals the worker's trace tells the same of the calls."""
    anonymizer = Anonymizer(b"a key of a test")
    replace = anonymizer.replace_text
    (session,) = open_sessions([recorded.own])
    records = list(anonymizer.rewrite(session))
    said = b"".join(record.data for record in records)
    originals = {cdr.number for cdr in recorded.cdrs.values()} | recorded.cdrs.keys()
    originals |= {ACCOUNT, "carrier", "5551000", "127.0.0.1", *NAME.split(), "recordings"}
    assert [text for text in originals if text.encode() in said] == []
    follower = Follower()
    calls = [call for record in records for call in follower.feed(record)]
    calls += follower.finish()
    made = {call.channel_id: write_cdr(call) for call in calls if call.report}
    for channel_id, cdr in recorded.cdrs.items():
        new = flatten(made[replace(channel_id)])
        for name, value in flatten(compare_fields(cdr)).items():
            assert new[name] == value or new[name] == replace(str(value)) or name == "caller_id"


def flatten(cdr: dict[str, Any]) -> dict[str, Any]:
    """With the second leg's fields beside its own."""
    leg_b = cdr["leg_b"] or {}
    return {**cdr, "leg_b": None, **{f"leg_b.{name}": value for name, value in leg_b.items()}}
