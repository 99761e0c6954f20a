"""Campaigns through `dialer run` on the real Asterisk, compared with what the carrier did."""

from pathlib import Path

import pytest

from tests.lab.campaign import (
    Plan,
    Tenant,
    check_campaign,
    make_numbers,
    run_campaign,
    share_slot_time,
)
from tests.lab.running_lab import Lab

pytestmark = pytest.mark.lab


async def test_two_clients_share_a_pbx_and_every_cdr_is_what_the_carrier_did(
    lab: Lab, tmp_path: Path
) -> None:
    tenants = [Tenant(f"lab{n}", n, make_numbers(4 + n, 36, range(12))) for n in (5, 15)]
    plan = Plan(tenants, cap=10, retry_count=1, retry_gap=1)
    outcome = await run_campaign(lab, tmp_path, plan, patience=90)
    assert check_campaign(outcome) == []


async def test_slot_time_is_shared_by_allocated_channels(lab: Lab, tmp_path: Path) -> None:
    tenants = [Tenant(f"lab{n}", n, make_numbers(6 + n, 16 * n, [8])) for n in (5, 15)]
    outcome = await run_campaign(lab, tmp_path, Plan(tenants, cap=10), patience=90)
    assert check_campaign(outcome) == []
    one, three = share_slot_time(outcome)
    assert three / one == pytest.approx(3.0, rel=0.05)
