"""A campaign on the lab, seen from outside: what the carrier did, what a witness on AMI counted,
and what arrived at both sinks, compared with what the product says.

Used by the lab's tests and by `bench/lab_campaign.py`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from dialer.sinks import CallbackSink, SgapiSink
from tests.lab.carrier_log import CarrierCall, read_calls
from tests.lab.product import RunningDialer
from tests.lab.raw_ami import Message, RawAmi
from tests.lab.running_lab import Lab

DISPOSITIONS = {
    "answer": "answered",
    "busy": "busy",
    "ring": "no-answer",
    "congestion": "congestion",
    "unallocated": "invalid",
    "unavailable": "not-available",
    "reject": "failed",
}
"""What each thing that the carrier did to a call is called in a CDR."""

RETRIED = {"busy", "no-answer", "not-available", "congestion"}

TIMEOUTS = {2: 2, 6: 8}
"""Seconds of ringing by the number's ending; 5 for all others."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A client: `numbers` are dialed in this order, `data` is what Wait gets where `items` does not
    say what a number's item is. `policy` as in `dialer clients set --policy`."""

    accountcode: str
    channels: int
    numbers: list[str]
    data: str = "3"
    items: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    policy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    tenants: list[Tenant]
    cap: int
    retry_count: int = 0
    retry_gap: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)


def make_numbers(prefix: int, count: int, endings: range | list[int]) -> list[str]:
    """`count` different numbers whose endings go round."""
    cycle = list(endings)
    return [f"{prefix}{n:05d}{cycle[n % len(cycle)]:02d}" for n in range(count)]


class Witness:
    """Counts live calls on a PBX by what its AMI says, in a session of its own."""

    def __init__(self) -> None:
        self.created: dict[str, float] = {}
        self.ended: dict[str, float] = {}

    def see(self, message: Message) -> None:
        identity = message["Uniqueid"]
        if identity != message["Linkedid"]:
            return
        if message.event == "Newchannel":
            self.created[identity] = float(message["Timestamp"])
        elif message.event == "Hangup":
            self.ended[identity] = float(message["Timestamp"])

    def most_live(self, ours: set[str]) -> int:
        """The most calls among `ours` that were live at one moment."""
        steps = [(at, 1) for call, at in self.created.items() if call in ours]
        steps += [(at, -1) for call, at in self.ended.items() if call in ours]
        live = most = 0
        for _, step in sorted(steps):
            live += step
            most = max(most, live)
        return most


@dataclass(slots=True)
class Outcome:
    """Everything that was seen."""

    plan: Plan
    callbacks: dict[str, dict[str, Any]]
    sgapi: dict[str, dict[str, Any]]
    carrier: list[CarrierCall]
    witness: Witness
    queues: list[dict[str, Any]]
    seconds: float
    duplicates: int
    closings: int = 0
    status: str = ""
    problems: list[str] = field(default_factory=list)


async def run_campaign(lab: Lab, folder: Path, plan: Plan, patience: float) -> Outcome:
    """Run `plan` on pbx1 through `dialer run` and collect what everybody saw."""
    loop = asyncio.get_running_loop()
    async with CallbackSink() as callbacks, SgapiSink() as sgapi:
        settings = {"DIALER_SGAPI_URL": sgapi.origin, **plan.settings}
        pbx = lab.pbx1
        async with (
            await RawAmi.connect(pbx.host, pbx.port) as ami,
            RunningDialer(folder, settings) as dialer,
        ):
            await ami.login(pbx.username, pbx.secret)
            since = datetime.now().timestamp()  # noqa: DTZ005 (only its epoch is used)
            await dialer.command(
                *("servers", "add", "pbx1", "--host", pbx.host, "--port", str(pbx.port)),
                *("--username", pbx.username, "--secret-env", "DIALER_LAB_SECRET"),
                *("--max-channels", str(plan.cap)),
            )
            keys = {
                tenant.accountcode: await _add_client(dialer, tenant, callbacks.origin)
                for tenant in plan.tenants
            }
            started = loop.time()
            await asyncio.gather(
                *[_load(dialer, plan, t, keys[t.accountcode]) for t in plan.tenants]
            )
            queues = [
                await _completed(dialer, keys[t.accountcode], callbacks, sgapi, patience)
                for t in plan.tenants
            ]
            seconds = loop.time() - started
            status = await dialer.command("status")
        ours = {number for tenant in plan.tenants for number in tenant.numbers}
        witness = Witness()
        for message in ami.messages:
            witness.see(message)
        return Outcome(
            plan=plan,
            callbacks=callbacks.bodies,
            sgapi=sgapi.cdrs,
            carrier=[call for call in read_calls(lab.carrier_log, since) if call.number in ours],
            witness=witness,
            queues=queues,
            seconds=seconds,
            duplicates=callbacks.duplicates.total() + sgapi.duplicates.total(),
            closings=len(callbacks.closings),
            status=status,
        )


async def _add_client(dialer: RunningDialer, tenant: Tenant, callback: str) -> str:
    async with dialer.http() as http:
        answer = await http.post(
            "/clients/",
            json={
                "name": tenant.accountcode,
                "accountcode": tenant.accountcode,
                "username": tenant.accountcode,
                "allocated_channels": tenant.channels,
                "callbackurl": f"{callback}/{tenant.accountcode}",
            },
        )
    assert answer.status_code == 200, answer.text
    policy = [word for change in tenant.policy for word in ("--policy", change)]
    await dialer.command("clients", "set", tenant.accountcode, "--cps", "1000", *policy)
    key: str = answer.json()["api_key"]
    return key


async def _load(dialer: RunningDialer, plan: Plan, tenant: Tenant, key: str) -> None:
    """Make the queue with its retry rules first, then let it go."""
    async with dialer.http(key) as http:
        queue_id = None
        for number, start in enumerate(range(0, len(tenant.numbers), 1000)):
            answer = await http.post(
                "/queues/insertdataincallqueue/",
                json={
                    "queue_id": queue_id,
                    "batch_id": number + 1,
                    "data": [
                        _make_item(n, tenant, plan) for n in tenant.numbers[start : start + 1000]
                    ],
                },
            )
            assert answer.status_code == 200, answer.text
            if queue_id is None:
                queue_id = answer.json()["data"]["queue_id"]
                changed = await http.put(
                    f"/queues/updatequeuemaster/{queue_id}",
                    json={"retry_gap": plan.retry_gap, "retry_count": plan.retry_count},
                )
                assert changed.status_code == 200, changed.text


def _make_item(number: str, tenant: Tenant, plan: Plan) -> dict[str, Any]:
    if number in tenant.items:
        return tenant.items[number] | {"retry": plan.retry_count}
    return {
        "asterisk_server_code": "pbx1",
        "caller_id": f"{tenant.accountcode} <5551000>",
        "call_timeout": TIMEOUTS.get(int(number[-2:]), 5),
        "retry": plan.retry_count,
        "action": {
            "Action": "Originate",
            "Channel": f"PJSIP/{number}@carrier",
            "Application": "Wait",
            "Data": tenant.data,
        },
    }


async def _completed(
    dialer: RunningDialer, key: str, callbacks: CallbackSink, sgapi: SgapiSink, patience: float
) -> dict[str, Any]:
    """Wait until the client's queue is completed and everything of it was delivered; the queue.
    Looks again after every delivery."""
    changed = asyncio.Event()
    callbacks.watch(changed.set)
    sgapi.watch(changed.set)
    async with asyncio.timeout(patience), dialer.http(key) as http:
        while True:
            changed.clear()
            answer = await http.get("/queues/getmasterqueues/")
            queue: dict[str, Any] = answer.json()["results"][0]
            final = [b for b in callbacks.bodies.values() if b["final"]]
            mine = [b for b in final if b["accountcode"] == queue["accountcode"]]
            told = len(mine) == queue["total_count"]
            delivered = callbacks.bodies.keys() <= sgapi.cdrs.keys()
            if queue["queue_status"] == "completed" and told and delivered:
                return queue
            await changed.wait()


# What must be true of it.


def check_campaign(outcome: Outcome) -> list[str]:
    """What is wrong, in sentences; empty: all is right."""
    problems: list[str] = []
    by_number = _by_number(outcome)
    for check in (_check_counts, _check_caps, _check_times, _check_sgapi):
        problems += check(outcome)
    for number, calls in by_number.items():
        problems += _check_number(number, calls, outcome)
    return problems


def _by_number(outcome: Outcome) -> dict[str, list[dict[str, Any]]]:
    by_number: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for tenant in outcome.plan.tenants:
        for number in tenant.numbers:
            by_number[number] = []
    for body in sorted(outcome.callbacks.values(), key=lambda b: int(b["attempt"])):
        by_number[body["phone_number"]].append(body)
    return by_number


def _check_number(number: str, calls: list[dict[str, Any]], outcome: Outcome) -> list[str]:
    """The CDRs of a number are, one by one, what the carrier did to its calls."""
    carrier = [call for call in outcome.carrier if call.number == number]
    said = [body["disposition"] for body in calls]
    did = [DISPOSITIONS[call.did or "ring"] for call in carrier]
    problems = [] if said == did else [f"{number}: CDRs {said}, carrier {did}"]
    for body, call in zip(calls, carrier, strict=False):
        if body["custom_data"]["sip_call_id"] != call.sip_call_id:
            problems.append(f"{number}: not the Call-ID {call.sip_call_id} that the carrier saw")
    wanted = 1 + (outcome.plan.retry_count if said and said[0] in RETRIED else 0)
    if len(calls) != wanted:
        problems.append(f"{number}: {len(calls)} attempts, not {wanted}")
    if [body["final"] for body in calls] != [False] * (len(calls) - 1) + [True]:
        problems.append(f"{number}: the last attempt, and no other, must be final")
    for earlier, later in pairwise(calls):
        gap = read_time(later["start_time"]) - read_time(earlier["end_time"])
        if gap < outcome.plan.retry_gap - 0.01:
            problems.append(f"{number}: an attempt {gap:.3f} s after the last one")
    return problems


def _check_counts(outcome: Outcome) -> list[str]:
    problems = []
    for tenant, queue in zip(outcome.plan.tenants, outcome.queues, strict=True):
        ended = queue["processed_count"] + queue["terminated_count"]
        if not len(tenant.numbers) == queue["total_count"] == ended:
            problems.append(f"{tenant.accountcode}: items and ends do not add up: {queue}")
    if outcome.callbacks.keys() != outcome.sgapi.keys():
        problems.append("callbacks and SGAPI CDRs differ")
    if len(outcome.carrier) != len(outcome.callbacks):
        problems.append(f"{len(outcome.carrier)} calls, {len(outcome.callbacks)} CDRs")
    if outcome.duplicates:
        problems.append(f"{outcome.duplicates} deliveries came twice")
    return problems


def _check_caps(outcome: Outcome) -> list[str]:
    """No cap is ever exceeded, as the witness counts live channels with a ChannelId of ours."""
    problems = []
    ours = {body["channel_id"] for body in outcome.callbacks.values()}
    if missing := ours - outcome.witness.created.keys():
        problems.append(f"the witness did not see {len(missing)} calls")
    if (most := outcome.witness.most_live(ours)) > outcome.plan.cap:
        problems.append(f"{most} live calls on the server, over {outcome.plan.cap}")
    for tenant in outcome.plan.tenants:
        mine = calls_of(outcome, tenant, lambda body: str(body["channel_id"]))
        if (most := outcome.witness.most_live(set(mine))) > tenant.channels:
            problems.append(f"{tenant.accountcode}: {most} live calls, over {tenant.channels}")
    return problems


def calls_of(outcome: Outcome, tenant: Tenant, what: Callable[[dict[str, Any]], str]) -> list[str]:
    """`what` of every CDR of a client."""
    return [what(b) for b in outcome.callbacks.values() if b["accountcode"] == tenant.accountcode]


def _check_times(outcome: Outcome) -> list[str]:
    """Start and end of a CDR are the timestamps that Asterisk gave its channel's events."""
    problems = []
    for body in outcome.callbacks.values():
        for name, seen in (
            ("start_time", outcome.witness.created),
            ("end_time", outcome.witness.ended),
        ):
            theirs = seen.get(body["channel_id"], 0.0)
            if abs(read_time(body[name]) - theirs) > 0.0011:
                problems.append(f"{body['phone_number']}: {name} {body[name]}, Asterisk {theirs}")
    return problems


WORDS = {"answered": "ANSWERED", "busy": "BUSY", "congestion": "CONGESTION"}


def _check_sgapi(outcome: Outcome) -> list[str]:
    problems = []
    for uuid, cdr in outcome.sgapi.items():
        body = outcome.callbacks.get(uuid)
        if body is None:
            continue
        same = cdr["called_number"] == body["phone_number"] and cdr["duration"] == body["duration"]
        word = WORDS.get(body["disposition"])
        if not same or (word is not None and word != cdr["disposition"]):
            problems.append(f"{uuid}: SGAPI got {cdr}, the callback {body}")
    return problems


def share_slot_time(outcome: Outcome) -> list[float]:
    """Slot seconds of each tenant while all of them had work."""
    spans: list[list[tuple[float, float]]] = []
    for tenant in outcome.plan.tenants:
        mine = [b for b in outcome.callbacks.values() if b["accountcode"] == tenant.accountcode]
        spans.append([(read_time(b["start_time"]), read_time(b["end_time"])) for b in mine])
    until = min(max(start for start, _ in own) for own in spans)
    begin = max(min(start for start, _ in own) for own in spans)
    return [
        sum(max(0.0, min(end, until) - max(start, begin)) for start, end in own) for own in spans
    ]


def read_time(text: str) -> float:
    """Epoch seconds of an ISO 8601 time."""
    return datetime.fromisoformat(text).timestamp()
