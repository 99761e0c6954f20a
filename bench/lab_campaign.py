"""Two clients share a PBX of the lab: every outcome, retries, caps, times, both sinks, shares.

    make lab-up && .venv/bin/python -m bench.lab_campaign --calls 300

Two runs through `dialer run`: calls of all outcomes with one retry, checked one by one against the
carrier's own log, a witness on AMI and both sinks; then calls of equal length, whose slot time must
be shared 1:3. Exit 1 when anything is wrong.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.lab.campaign import (
    Outcome,
    Plan,
    Tenant,
    check_campaign,
    make_numbers,
    run_campaign,
    share_slot_time,
)
from tests.lab.running_lab import Lab, find_lab

CAP = 10
SHARES = (5, 15)


def print_outcome(outcome: Outcome) -> None:
    said = Counter(body["disposition"] for body in outcome.callbacks.values())
    ours = {body["channel_id"] for body in outcome.callbacks.values()}
    print(
        f"{len(outcome.callbacks)} attempts in {outcome.seconds:.1f} s; carrier saw "
        f"{len(outcome.carrier)}; SGAPI {len(outcome.sgapi)}; most live "
        f"{outcome.witness.most_live(ours)} of {outcome.plan.cap}"
    )
    for disposition, count in said.most_common():
        print(f"   {disposition:14} {count}")
    problems = check_campaign(outcome)
    for problem in problems[:20]:
        print("WRONG:", problem)
    outcome.problems = problems


async def all_outcomes(lab: Lab, calls: int) -> bool:
    tenants = [Tenant(f"share{n}", n, make_numbers(2 + n, calls, range(12))) for n in SHARES]
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(tenants, CAP, retry_count=1, retry_gap=2)
        outcome = await run_campaign(lab, Path(folder), plan, patience=60 + calls * 2)
    print(f"all outcomes, {calls} items each, one retry:")
    print_outcome(outcome)
    return not outcome.problems


async def equal_length(lab: Lab, calls: int) -> bool:
    tenants = [Tenant(f"share{n}", n, make_numbers(2 + n, calls * n // 5, [8])) for n in SHARES]
    with tempfile.TemporaryDirectory() as folder:
        outcome = await run_campaign(lab, Path(folder), Plan(tenants, CAP), patience=60 + calls)
    one, three = share_slot_time(outcome)
    print("calls of equal length:")
    print_outcome(outcome)
    print(f"slot time while both had work: {one:.1f} s and {three:.1f} s, 1 : {three / one:.3f}")
    return not outcome.problems and abs(three / one / 3 - 1) <= 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    lab = find_lab()
    if isinstance(lab, str):
        sys.exit(lab)
    right = [
        asyncio.run(all_outcomes(lab, options.calls)),
        asyncio.run(equal_length(lab, options.calls)),
    ]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
