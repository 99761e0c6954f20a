"""A policy that an operator narrows while items wait, in the worker and list by list."""

import json
from dataclasses import replace
from typing import Any

import pytest

from dialer.batch import build_batch
from dialer.bodies import parse_batch
from dialer.policy import Policy
from dialer.store.contract import Candidate
from tests.unit.dialer.builders import make_client, make_item
from tests.unit.dialer.worker_floor import Floor

WIDE = Policy(
    applications=frozenset({"Dial", "Wait"}),
    local_contexts=frozenset({"out"}),
    gosub_contexts=frozenset({"out"}),
    dial_options=frozenset("rg"),
    functions=frozenset({"PJSIP_HEADER(add,X-A)"}),
    recording_profiles=frozenset({"stereo"}),
)
ACTION = {"Channel": "PJSIP/98100@carrier", "Application": "Dial", "Data": "PJSIP/98200@trunk,30"}
NOTHING: frozenset[str] = frozenset()
"""An empty list."""

NARROWED: list[tuple[str, dict[str, Any], frozenset[str], str]] = [
    ("applications", {}, NOTHING, "action.Application: application 'Dial'"),
    ("technologies", {}, frozenset({"SIP"}), "action.Channel: technology 'PJSIP'"),
    ("endpoints", {}, frozenset({"trunk"}), "action.Channel: endpoint 'carrier'"),
    ("endpoints", {}, frozenset({"carrier"}), "action.Data: endpoint 'trunk'"),
    ("local_contexts", {"Channel": "Local/98@out"}, NOTHING, "action.Channel: Local context 'out'"),
    ("local_contexts", {"Data": "Local/98@out/n"}, NOTHING, "action.Data: Local context 'out'"),
    ("gosub_contexts", {"PreDialGoSub": "out,s,1"}, NOTHING, "action.PreDialGoSub: PreDialGoSub"),
    ("dial_options", {"Data": "PJSIP/9@t,30,g"}, frozenset("r"), "action.Data: Dial option 'g'"),
    (
        "functions",
        {"Variable": "PJSIP_HEADER(add,X-A)=v"},
        NOTHING,
        "action.Variable: the var",
    ),
    ("recording_profiles", {"profile": "stereo"}, NOTHING, "mix_monitor_command: must be the name"),
    ("prefixes", {}, frozenset({"982"}), "action.Channel: the number dialed"),
    ("prefixes", {}, frozenset({"981"}), "action.Data: the number dialed"),
    ("caller_ids", {"CallerID": "A <100>"}, frozenset({"200"}), "action.CallerID: the number of"),
]
"""List, what the item asks for, what is left of the list, and how the refusal begins."""


def make_waiting(asked: dict[str, Any]) -> Candidate:
    """An item as it was taken in under `WIDE`."""
    action = {"Action": "Originate", **ACTION, **asked}
    profile = action.pop("profile", None)
    item = {"asterisk_server_code": "pbx1", "action": action, "mix_monitor_command": profile}
    body = json.dumps({"batch_id": 1, "data": [item]}).encode()
    client = make_client(1, policy=WIDE)
    (new,) = build_batch(parse_batch(body), client, {"pbx1": 1}, lambda: "new-id")
    return make_item(payload=new.payload, number=new.number, caller_id=new.caller_id, retry=3)


@pytest.mark.parametrize(("name", "asked", "left", "saying"), NARROWED)
async def test_what_waited_ends_without_a_byte_on_the_wire(
    name: str, asked: dict[str, Any], left: frozenset[str], saying: str
) -> None:
    floor = Floor(policy=WIDE)
    floor.feed(make_waiting(asked))
    await floor.turn()
    narrow = replace(WIDE, **{name: left})
    floor.planner.set_clients([make_client(1, policy=narrow)], floor.clock.mono)
    await floor.commit()
    assert floor.link.sent == []
    ((settlement, _),) = floor.ledger.settlements
    assert (settlement.cdr.disposition, settlement.final) == ("failed", True)
    assert settlement.next_attempt_at is None
    assert f"rejected by policy: {saying}" in (settlement.cdr.error_message or "")


@pytest.mark.parametrize("asked", [asked for _, asked, _, _ in NARROWED])
async def test_the_same_item_is_dialed_where_nothing_was_narrowed(asked: dict[str, Any]) -> None:
    floor = Floor(policy=WIDE)
    floor.feed(make_waiting(asked))
    await floor.turn()
    await floor.commit()
    assert len(floor.link.sent) == 1
    assert floor.ledger.settlements == []


async def test_a_retry_is_checked_as_the_first_attempt_was() -> None:
    floor = Floor(policy=WIDE)
    item = make_waiting({})
    floor.feed(replace(item, attempts=1))
    await floor.turn()
    none = replace(WIDE, prefixes=NOTHING)
    floor.planner.set_clients([make_client(1, policy=none)], floor.clock.mono)
    await floor.commit()
    assert floor.link.sent == []
    assert floor.ledger.settlements[0][0].final
