"""A recorded campaign as a server: the product dials the same calls of `dialer simulate --trace`,
and its CDRs must be those of the recording."""

import asyncio
import re
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dialer.cdr import Cdr
from dialer.replay.cdrs import compare_fields
from tests.lab.replayed_campaign import Recorded, record_campaign
from tests.lab.running_lab import SECRET, Lab, Server
from tests.patience import PATIENCE

FIELDS: Final = (
    *("disposition", "caller_id", "end_estimated", "duration", "billsec", "ring_seconds"),
    *("connected", "cause", "cause_text", "sip_code", "reason", "dial_status"),
    *("error_message", "application", "data", "sip_call_id"),
)
OF_LEG_B: Final = ("dial_status", "cause", "sip_code")

HUNG_UP: Final = "never_answers"
"""The calls of which the dialer's own Hangup is the end: when it comes is not the recording's."""

_PORT: Final = re.compile(rb"simulated Asterisk on 127\.0\.0\.1:(\d+)")


@asynccontextmanager
async def _simulate(trace: Path) -> AsyncIterator[int]:
    """`dialer simulate --trace`; its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dialer", "simulate", "--trace", str(trace)),
        *("--port", "0", "--secret", SECRET),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while (found := _PORT.search(await process.stdout.readline())) is None:
                assert process.returncode is None
        yield int(found[1])
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            await process.communicate()


async def play_campaign(lab: Lab, folder: Path, recorded: Recorded) -> Recorded:
    """Dial the calls of a campaign once more, of its own recording."""
    async with _simulate(recorded.own) as port:
        played = replace(lab, pbx1=Server("pbx1", port, "dialer"))
        return await record_campaign(played, folder, recorded.kinds, meddled=False)


def check_played(recorded: Recorded, played: Recorded) -> list[str]:
    """How the CDRs of the two differ, in sentences."""
    problems = []
    wanted, got = _by_number(recorded.cdrs.values()), _by_number(played.cdrs.values())
    for number, calls in wanted.items():
        name = recorded.kinds[number].name
        if name == HUNG_UP:
            continue
        if len(calls) != len(got[number]):
            problems.append(f"{number}: {name}: {len(got[number])} attempts, not {len(calls)}")
        for one, other in zip(calls, got[number], strict=False):
            was, became = _show(one), _show(other)
            problems += [
                f"{number}: {name}: {field} was {value!r}, became {became[field]!r}"
                for field, value in was.items()
                if value != became[field]
            ]
    return problems


def _by_number(cdrs: Iterable[Cdr]) -> dict[str, list[Cdr]]:
    found: dict[str, list[Cdr]] = defaultdict(list)
    for cdr in sorted(cdrs, key=lambda cdr: cdr.started_at):
        found[cdr.number].append(cdr)
    return found


def _show(cdr: Cdr) -> dict[str, Any]:
    shown = compare_fields(cdr)
    leg_b = shown["leg_b"] or {}
    return {name: shown[name] for name in FIELDS} | {
        f"leg_b.{name}": leg_b.get(name) for name in OF_LEG_B
    }
