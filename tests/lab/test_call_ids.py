"""The SIP Call-IDs in CDRs are those that the carrier saw, also of calls that fail at once."""

from pathlib import Path

import pytest

from tests.lab.campaign import Plan, Tenant, check_campaign, make_numbers, run_campaign
from tests.lab.running_lab import Lab

pytestmark = pytest.mark.lab

REFUSED_AT_ONCE = [1, 3, 4, 5, 11]
"""Endings of numbers whose channel lives for about 2 ms."""


async def test_cdrs_have_the_call_ids_that_the_carrier_saw(lab: Lab, tmp_path: Path) -> None:
    numbers = make_numbers(31, 48, range(12)) + make_numbers(32, 150, REFUSED_AT_ONCE)
    plan = Plan([Tenant("callids", 12, numbers, data="1")], cap=12)
    outcome = await run_campaign(lab, tmp_path, plan, patience=90)
    assert check_campaign(outcome) == []
    carrier = {call.number: call.sip_call_id for call in outcome.carrier}
    told = {b["phone_number"]: b["custom_data"]["sip_call_id"] for b in outcome.callbacks.values()}
    assert told == carrier
    assert len(set(told.values())) == len(numbers)
    for cdr in outcome.sgapi.values():
        assert cdr["custom_data"]["sip_call_id"] == told[cdr["called_number"]]
