"""The demonstration: the whole product against a simulated Asterisk and receivers on this machine.

Everything is done as its users do it: the operator through the store (as the command line does),
the client over HTTP. What comes out is compared from both ends: what was originated, what the
store holds, and what arrived.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from aiohttp import web

from ami.simulator import Simulator, SimulatorConfig
from dialer.app import Product
from dialer.cdr import Cdr
from dialer.delivery.timestamps import format_milliseconds
from dialer.errors import DialerError
from dialer.outcome import Outcome, Received, tally
from dialer.settings import Settings, load_settings
from dialer.sinks import Body, CallbackSink, SgapiSink
from dialer.states import DeliveryState, ItemStatus
from dialer.store import open_store
from dialer.store.contract import Server, Store, Totals

SERVER: Final = "pbx1"
ACCOUNT: Final = "demo"
CHANNELS: Final = 20
CALLS_A_SECOND: Final = 25.0
RETRY_GAP: Final = 2

PACE: Final = 0.5
"""Share of its usual time that the far end takes to ring, talk and clear."""

REFUSED_FIRST: Final = 5
"""Callbacks that the receiver refuses at first, so that they are delivered again."""

DEADLINE: Final = 55.0
"""Seconds after which it has failed."""

LOOK: Final = 0.25
"""Seconds between two looks at the progress."""


class DemoError(DialerError):
    """The demonstration could not be carried out."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`count` calls to numbers with one ending, which decides what the far end does."""

    ending: str
    count: int
    retry: int = 0
    timeout: int = 10_000  # ms
    second_leg: bool = False
    deadline: str | None = None


KINDS: Final = (
    Kind("00", 30, second_leg=True),  # answered, talks to a second leg
    Kind("00", 16),  # answered
    Kind("08", 10),  # answered and dropped
    Kind("06", 4),  # answered late
    Kind("01", 12, retry=1),  # busy
    Kind("09", 4, retry=1),  # rings, then busy
    Kind("10", 4),  # early media, then busy
    Kind("02", 12, retry=1, timeout=2000),  # rings for ever
    Kind("05", 6, retry=1),  # unavailable
    Kind("03", 6, retry=1),  # congestion
    Kind("04", 8),  # unallocated number
    Kind("11", 4),  # rejected
    Kind("00", 4, deadline="2020-01-01T00:00:00Z"),  # too late already
)
STOPPED: Final = Kind("00", 4)
"""A queue of its own that its client completes before it is dialed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    items: int
    ended: int
    attempts: int
    delivered: int
    undelivered: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs, and the two sides that act on it."""

    product: Product
    simulator: Simulator
    callbacks: CallbackSink
    gateway: SgapiSink
    operator: Store
    http: httpx.AsyncClient


def make_items(kinds: tuple[Kind, ...]) -> list[Body]:
    """The QueueItems of all kinds, each to a number of its own."""
    items: list[Body] = []
    for kind in kinds:
        for _ in range(kind.count):
            number = f"5550{len(items):03d}{kind.ending}"
            action: Body = {
                "Action": "Originate",
                "Channel": f"PJSIP/{number}@carrier",
                "Timeout": kind.timeout,
            }
            if kind.second_leg:
                action |= {
                    "Application": "Dial",
                    "Data": f"PJSIP/5559{len(items):03d}00@carrier,30",
                }
            item: Body = {
                "asterisk_server_code": SERVER,
                "caller_id": "Demo <5550000>",
                "action": action,
                "retry": kind.retry,
                "project": "demonstration",
            }
            if kind.deadline:
                item["deadline"] = kind.deadline
            items.append(item)
    return items


async def run_demo(folder: Path, show: Callable[[Progress], None]) -> Outcome:
    """Run it with its files in `folder`; `show` is called as it goes on. Raises `DemoError`."""
    async with open_stage(folder) as stage:
        await load_calls(stage)
        totals = await wait_for_end(stage, show)
        cdrs = await _read_cdrs(stage.operator)
        write_cdrs(cdrs, folder / "cdrs.ndjson")
        callbacks, gateway = stage.callbacks, stage.gateway
        taken = len(callbacks.bodies) + len(callbacks.closings) + len(gateway.cdrs)
        repeated = callbacks.duplicates.total() + gateway.duplicates.total()
        received = Received(
            originates=stage.simulator.counters.originates,
            callbacks=frozenset(callbacks.bodies),
            closings={call: body["disposition"] for call, body in callbacks.closings.items()},
            sgapi=frozenset(gateway.cdrs),
            repeated=repeated,
            turned_away=callbacks.requests + gateway.requests - taken - repeated,
        )
        return tally(cdrs, totals, received)


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Start everything, and stop it again."""
    simulator = Simulator(SimulatorConfig(scale=PACE))
    token, key = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    async with (
        CallbackSink(refuse_first(REFUSED_FIRST)) as callbacks,
        SgapiSink(token=token) as gateway,
    ):
        settings = make_settings(folder, gateway.origin, token, key)
        product = Product(settings)
        operator = open_store(settings.database_url)
        await simulator.start()
        try:
            await product.start()
            await operator.open()
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{product.http_port}/calling/api",
                headers={"Authorization": f"Bearer {key}"},
                timeout=10.0,
            ) as http:
                yield Stage(product, simulator, callbacks, gateway, operator, http)
        finally:
            await operator.close()
            await product.stop(0.0)
            await simulator.stop()


def make_settings(folder: Path, gateway: str, token: str, key: str) -> Settings:
    """The settings of the demonstration; the environment's are left alone."""
    return load_settings(
        None,
        database_url=f"sqlite+aiosqlite:///{folder / 'dialer.db'}",
        redis_url=None,
        http_host="127.0.0.1",
        http_port=0,
        superuser_api_key=key,
        sgapi_url=gateway,
        sgapi_token=token,
        sgapi_entity="demo",
        callback_allow_private=True,
    )


def refuse_first(count: int) -> Callable[[Body], web.Response | None]:
    """A script for a sink: 503 to the first `count` requests."""
    left = iter(range(count))
    return lambda body: web.Response(status=503) if next(left, None) is not None else None


async def load_calls(stage: Stage) -> None:
    """Make server and client, load both queues, and let the calls go."""
    now = time.time()
    config = stage.simulator.config.users[0]
    secret = Path(stage.product.settings.database_url.split("///", 1)[1]).with_name("ami-secret")
    secret.touch(mode=0o600)
    secret.write_text(config.secret)
    # Paused until the queues are as they shall be: nothing starts in between.
    await stage.operator.add_server(
        Server(
            id=0,
            code=SERVER,
            host="127.0.0.1",
            port=stage.simulator.port,
            username=config.name,
            secret_file=str(secret),
            max_channels=CHANNELS,
            paused=True,
        ),
        now,
    )
    made = await _call(
        stage.http,
        "POST",
        "/clients/",
        {
            "name": "Demonstration",
            "accountcode": ACCOUNT,
            "username": ACCOUNT,
            "allocated_channels": CHANNELS,
            "callbackurl": f"{stage.callbacks.origin}/callback",
        },
    )
    await stage.operator.change_client(ACCOUNT, {"max_cps": CALLS_A_SECOND}, now)
    stage.http.headers["Authorization"] = f"Bearer {made['api_key']}"
    queue_id = await _insert(stage.http, 1, make_items(KINDS))
    await _change(stage.http, queue_id, {"retry": True, "retry_gap": RETRY_GAP})
    stopped_id = await _insert(stage.http, 2, make_items((STOPPED,)))
    await _change(stage.http, stopped_id, {"queue_status": "completed"})
    await stage.operator.change_server(SERVER, {"paused": False}, time.time())


async def wait_for_end(stage: Stage, show: Callable[[Progress], None]) -> Totals:
    """Wait until every item has ended and every delivery has left. Raises `DemoError`."""
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                totals = await stage.operator.totals()
                progress = read_progress(totals)
                show(progress)
                if progress.ended == progress.items and not progress.undelivered:
                    return totals
                await asyncio.sleep(LOOK)
    except TimeoutError:
        raise DemoError(f"not finished after {DEADLINE:g} s: {progress}") from None


def read_progress(totals: Totals) -> Progress:
    """Progress by the store's figures."""
    ended = (ItemStatus.PROCESSED, ItemStatus.TERMINATED)

    def count(state: DeliveryState) -> int:
        return sum(n for name, n in totals.deliveries.items() if name.endswith(f"/{state}"))

    return Progress(
        items=sum(totals.items.values()),
        ended=sum(totals.items.get(status, 0) for status in ended),
        attempts=totals.cdrs,
        delivered=count(DeliveryState.DELIVERED),
        undelivered=count(DeliveryState.PENDING) + count(DeliveryState.ACCEPTED),
    )


def write_cdrs(cdrs: list[Cdr], path: Path) -> None:
    """One JSON object a line; times are ISO 8601."""
    with path.open("w", encoding="utf-8") as handle:
        for cdr in cdrs:
            handle.write(json.dumps(_show_times(asdict(cdr))) + "\n")


def prepare_folder(folder: Path) -> None:
    """Make the folder. Raises `DemoError` where a demonstration was run before."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "dialer.db").exists():
        raise DemoError(f"{folder} holds a database already: name another folder")
    if not os.access(folder, os.W_OK):
        raise DemoError(f"{folder} cannot be written to")


def _show_times(record: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            shown[name] = _show_times(value)
        elif name.endswith("_at") and isinstance(value, float):
            shown[name] = format_milliseconds(value)
        else:
            shown[name] = value
    return shown


async def _read_cdrs(store: Store) -> list[Cdr]:
    cdrs: list[Cdr] = []
    last = 0
    while page := await store.cdrs(None, last, 500):
        cdrs += (cdr for _, cdr in page)
        last = page[-1][0]
    return cdrs


async def _insert(http: httpx.AsyncClient, batch_id: int, items: list[Body]) -> int:
    body = {"batch_id": batch_id, "data": items}
    answer = await _call(http, "POST", "/queues/insertdataincallqueue/", body)
    return int(answer["data"]["queue_id"])


async def _change(http: httpx.AsyncClient, queue_id: int, change: Body) -> None:
    await _call(http, "PUT", f"/queues/updatequeuemaster/{queue_id}", change)


async def _call(http: httpx.AsyncClient, method: str, path: str, body: Body) -> Body:
    response = await http.request(method, path, json=body)
    if response.status_code != httpx.codes.OK:
        raise DemoError(f"{method} {path}: HTTP {response.status_code} {response.text}")
    answer: Body = response.json()
    return answer
