"""A campaign of calls of every kind, recorded while it runs by the worker itself and by `dialer
record` beside it, and what replays of these make of it, against what production delivered.

Used by the lab's tests and by `bench/lab_replay.py`.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ami import LegB
from dialer.cdr import Cdr
from dialer.delivery.callback import build_callback
from dialer.delivery.sgapi import SgapiTarget, build_sgapi
from dialer.replay.cdrs import STREAM_FIELDS, compare_fields, write_cdr
from dialer.replay.comparison import compare_cdrs
from dialer.replay.follower import Follower
from dialer.replay.sessions import open_sessions
from dialer.store import open_store
from dialer.store.contract import Client
from tests.lab.campaign import DISPOSITIONS, Outcome, Plan, Tenant, run_campaign
from tests.lab.meddler import Meddler
from tests.lab.product import RunningDialer
from tests.lab.running_lab import Lab
from tests.lab.varied_calls import LONGEST, POLICY, Kind
from tests.patience import PATIENCE

CHANNELS: Final = 40
ACCOUNT: Final = "varied"

UNHEARD: Final = {
    "never_answers": ("disposition", "error_message"),
    "recorded": ("application", "data"),
    "recorded_bridged": ("application", "data"),
    "recorded_busy": ("application", "data"),
    "recorded_dial": ("application", "data"),
    "transfer_blind": ("application", "data"),
}
"""What `dialer record` beside the worker cannot know (docs/traces.md): that a Hangup was ours, and
what the recording dialplan was told to run. Both are in the worker's own actions alone."""

Shown = dict[str, Any]


class Beside:
    """`dialer record` of pbx1, with a database of its own. An async context manager."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / "pbx1.trace"
        self._dialer = RunningDialer(folder)
        self._pbx = lab.pbx1

    async def __aenter__(self) -> Self:
        await self._dialer.command(
            *("servers", "add", "pbx1", "--host", self._pbx.host, "--port", str(self._pbx.port)),
            *("--username", self._pbx.username, "--secret-env", "DIALER_LAB_SECRET"),
        )
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dialer", "record", "pbx1", "-o", str(self.path)),
            cwd=self._dialer.folder,
            env=self._dialer.environment,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while b"connected" not in (line := await self.process.stderr.readline()):
                assert line, "it has ended"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            await self.process.communicate()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A campaign that is over: who delivered what, and both recordings of it."""

    outcome: Outcome
    kinds: Mapping[str, Kind]  # by number
    cdrs: Mapping[str, Cdr]  # as they were written, by ChannelId
    client: Client
    own: Path
    beside: Path
    transfers: int


async def record_campaign(
    lab: Lab, folder: Path, kinds: Mapping[str, Kind], *, meddled: bool = True
) -> Recorded:
    """Place a call to each number on pbx1, with one retry, and record them twice; `meddled`: with
    somebody who does to them what the dialer does not."""
    worker = folder / "worker"
    worker.mkdir()
    items = {number: kind.make_item(number) for number, kind in kinds.items()}
    tenant = Tenant(ACCOUNT, CHANNELS, list(kinds), items=items, policy=POLICY)
    settings = {"DIALER_RECORD_DIR": "traces", "DIALER_MAX_CALL_DURATION": str(LONGEST)}
    plan = Plan([tenant], CHANNELS, retry_count=1, retry_gap=1, settings=settings)
    meddler = Meddler(lab.pbx1)
    meddling: AbstractAsyncContextManager[object] = meddler if meddled else nullcontext()
    async with Beside(lab, folder / "beside") as beside, meddling:
        outcome = await run_campaign(lab, worker, plan, patience=240 + len(kinds))
    cdrs, client = await read_written(worker)
    own = worker / "traces" / "pbx1.trace"
    return Recorded(outcome, kinds, cdrs, client, own, beside.path, meddler.transfers)


async def read_written(folder: Path) -> tuple[dict[str, Cdr], Client]:
    """The CDRs in the product's database, by ChannelId."""
    store = open_store(f"sqlite+aiosqlite:///{folder}/dialer.db")
    await store.open()
    try:
        rows = await store.cdrs(None, 0, 1_000_000)
        return {cdr.channel_id: cdr for _, cdr in rows}, await store.client(ACCOUNT)
    finally:
        await store.close()


def replay(path: Path, ours: Mapping[str, Cdr]) -> list[Shown]:
    """The CDRs of our calls in a trace; others may have used the lab meanwhile."""
    (session,) = open_sessions([path])
    follower = Follower()
    calls = [call for record in session for call in follower.feed(record)]
    calls += follower.finish()
    assert session.problems == []
    return [write_cdr(call) for call in calls if call.channel_id in ours and call.report]


# What must be true of it, in sentences; none: all is right.


def check_recorded(recorded: Recorded) -> list[str]:
    """Everything that is wrong."""
    own = replay(recorded.own, recorded.cdrs)
    return [
        *check_truth(recorded),
        *check_written(recorded, own),
        *check_delivered(recorded, own),
        *check_beside(recorded),
    ]


def check_truth(recorded: Recorded) -> list[str]:
    """Every CDR is what the dialplans make of its call and the carrier saw, and none is missing."""
    problems = []
    did = {call.sip_call_id: call.did or "ring" for call in recorded.outcome.carrier}
    for cdr in recorded.cdrs.values():
        kind = recorded.kinds[cdr.number]
        if cdr.disposition != kind.disposition:
            problems.append(f"{cdr.number}: {kind.name} ended {cdr.disposition}")
        seen = DISPOSITIONS.get(did.get(cdr.sip_call_id or "", ""))
        if seen not in (None, cdr.disposition) and cdr.disposition != "cancel":
            problems.append(f"{cdr.number}: {cdr.disposition}, for the carrier {seen}")
    missing = recorded.kinds.keys() - {cdr.number for cdr in recorded.cdrs.values()}
    problems += [f"{number}: no CDR" for number in sorted(missing)]
    transferred = sum(kind.name.startswith("transfer") for kind in recorded.kinds.values())
    if recorded.transfers != transferred:
        problems.append(f"{recorded.transfers} transfers, not {transferred}")
    return problems


def check_written(recorded: Recorded, got: list[Shown]) -> list[str]:
    """A replay of the worker's own recording gives the CDRs that it wrote."""
    wanted = {channel_id: compare_fields(cdr) for channel_id, cdr in recorded.cdrs.items()}
    return [f"own: {line}" for line in compare_cdrs(wanted, got)]


def check_beside(recorded: Recorded) -> list[str]:
    """As does one of the other recording, but for what that can not hold."""
    wanted = {}
    for channel_id, cdr in recorded.cdrs.items():
        unheard = UNHEARD.get(recorded.kinds[cdr.number].name, ())
        fields = compare_fields(cdr).items()
        wanted[channel_id] = {name: value for name, value in fields if name not in unheard}
    got = replay(recorded.beside, recorded.cdrs)
    return [f"beside: {line}" for line in compare_cdrs(wanted, got)]


def check_delivered(recorded: Recorded, got: list[Shown]) -> list[str]:
    """What was posted to the client and put to the gateway is, key for key, what is made of the
    replayed CDR and what no stream tells (whose call it was, which attempt)."""
    problems = []
    target = SgapiTarget("http://gateway.example")
    for shown in got:
        written = recorded.cdrs[shown["channel_id"]]
        cdr = merge(written, shown)
        callback, put = build_callback(cdr, recorded.client, 0.0), build_sgapi(cdr, target, 0.0)
        assert callback is not None
        assert put is not None
        for sink, made in (
            (recorded.outcome.callbacks, callback.body),
            (recorded.outcome.sgapi, put.body),
        ):
            body, delivered = json.loads(made), sink.get(cdr.cdr_id, {})
            different = [key for key in body | delivered if body.get(key) != delivered.get(key)]
            problems += [f"{cdr.number}: delivered {key} is another" for key in different]
    posted = len(recorded.outcome.callbacks), len(recorded.outcome.sgapi)
    if posted != (len(got), len(got)) or recorded.outcome.duplicates:
        problems.append(f"{posted} delivered, {len(got)} replayed")
    return problems


def merge(written: Cdr, shown: Shown) -> Cdr:
    """The CDR with every field that a stream tells from the replay."""
    fields = {name: shown[name] for name in STREAM_FIELDS if name != "caller_id"}
    leg_b = LegB(**fields["leg_b"]) if fields["leg_b"] is not None else None
    return replace(written, **fields | {"leg_b": leg_b})


def count_ends(recorded: Recorded) -> Counter[str]:
    """The CDRs by disposition."""
    return Counter(cdr.disposition for cdr in recorded.cdrs.values())
