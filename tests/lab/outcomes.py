"""A call of every outcome through the product on the real Asterisk, for clients whose callbacks
have different shapes: what was pushed to each, and the CDRs as they are stored.

Used by the lab's tests and by `lab/shapes.py`.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from aiohttp import web

from dialer.app import Product
from dialer.cdr import Cdr
from dialer.dialects import Shape, View
from dialer.settings import load_settings
from dialer.sinks import CallbackSink
from dialer.store.contract import Server
from tests.lab.raw_ami import RawAmi
from tests.lab.running_lab import SECRET, Lab
from tests.lab.table_calls import logged_in
from tests.patience import PATIENCE

ZONE = "Asia/Ho_Chi_Minh"
CALLER = "Lab Campaign <19001919>"

_SUPERUSER = "superuser-of-a-test"
_SECRET_NAME = "DIALER_LAB_SECRET"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One kind of call: whom `channel` names with `{}` for the number's beginning, what is run when
    it is answered, and what comes of it."""

    name: str
    disposition: str
    channel: str
    action: tuple[str, str] = ("Wait", "60")
    item: dict[str, Any] = field(default_factory=dict)


DIRECT = (
    Outcome("answered", "answered", "PJSIP/{}00@carrier"),
    Outcome(
        "answered, recorded", "answered", "PJSIP/{}00@carrier", item={"create_recording": True}
    ),
    Outcome(
        "answered, leg B talks",
        "answered",
        "PJSIP/{}07@carrier",
        ("Dial", "PJSIP/{}00@endpoint2,20"),
    ),
    Outcome(
        "answered, leg B busy",
        "answered",
        "PJSIP/{}00@carrier",
        ("Dial", "PJSIP/{}01@endpoint2,20"),
    ),
    Outcome("busy", "busy", "PJSIP/{}01@carrier"),
    Outcome("rejected", "failed", "PJSIP/{}11@carrier"),
    Outcome("rings, no answer", "no-answer", "PJSIP/{}02@carrier", item={"call_timeout": 2}),
    Outcome("unavailable", "not-available", "PJSIP/{}05@carrier"),
    Outcome("dead trunk", "not-available", "PJSIP/{}@dead", item={"call_timeout": 2}),
    Outcome("congestion", "congestion", "PJSIP/{}03@carrier"),
    Outcome("unallocated", "invalid", "PJSIP/{}04@carrier"),
    Outcome("no channel", "failed", "PJSIP/{}@nocontact"),
)
"""Those that come by themselves."""

QUICK = Outcome("quick call, leg B talks", "answered", "PJSIP/{}07@carrier", ("Dial", "{}00"))
"""Asked for by itself; what it dials second is a number."""
CANCELLED = Outcome("hung up by us", "cancel", "PJSIP/{}02@carrier", item={"call_timeout": 60})
LOST = Outcome(
    "ended while nobody looked", "unknown", "PJSIP/{}02@carrier", item={"call_timeout": 2}
)
EXPIRED = Outcome(
    "expired", "expired", "PJSIP/{}00@carrier", item={"deadline": "2024-01-01T00:00:00Z"}
)
"""Ends without an attempt: pushed, and in no CDR."""


@dataclass(frozen=True, slots=True)
class Told:
    """One call of one client: what was pushed of it, its CDR, and how that is shown. Of an item
    without an attempt there is only the first."""

    shape: Shape
    outcome: Outcome
    pushed: dict[str, Any]
    cdr: Cdr | None = None
    view: View | None = None


class Site:
    """The product in this process, driving pbx1 of the lab for a client of each shape."""

    def __init__(self, lab: Lab, folder: Path, shapes: Sequence[Shape]) -> None:
        self.lab = lab
        self.folder = folder
        self.shapes = tuple(shapes)
        self.run = f"8{time.time_ns() % 10**8:08d}"
        self.keys: dict[Shape, str] = {}
        self.pushed: dict[str, dict[str, Any]] = {}  # by the number dialed
        self.changed = asyncio.Event()
        self.product = self._make()
        self._batches = 0

    def _make(self) -> Product:
        settings: dict[str, Any] = {
            "database_url": f"sqlite+aiosqlite:///{self.folder}/dialer.db",
            "http_port": 0,
            "superuser_api_key": _SUPERUSER,
            "callback_allow_private": True,
        }
        return Product(load_settings(env_file=None, **settings))

    def take(self, body: dict[str, Any]) -> web.Response:
        """A callback of any shape."""
        names = ("phone_number", "to_number", "to", "DialedNumber", "destination")
        number = next(body[name] for name in names if name in body)
        self.pushed[number] = body
        self.changed.set()
        return web.json_response({})

    async def make_clients(self, address: str) -> None:
        pbx = self.lab.pbx1
        server = Server(0, "pbx1", pbx.host, pbx.port, pbx.username, _SECRET_NAME)
        await self.product.store.add_server(server, time.time())
        for shape in self.shapes:
            body = {
                "name": f"Lab {shape}",
                "accountcode": f"lab-{shape}",
                "username": f"lab-{shape}",
                "allocated_channels": 30,
                "callbackurl": address,
                "callback_shape": shape,
            }
            async with self._http(_SUPERUSER) as http:
                answer = await http.post("/clients/", json=body)
            assert answer.status_code == 200, answer.text
            self.keys[shape] = answer.json()["api_key"]
            await self.product.store.change_client(f"lab-{shape}", {"timezone": ZONE}, time.time())
        self.product.signals.clients_changed()

    async def post(self, outcomes: Sequence[Outcome]) -> None:
        """One item of each outcome for each client."""
        self._batches += 1
        for shape, key in self.keys.items():
            items = [self._make_item(shape, outcome) for outcome in outcomes]
            async with self._http(key) as http:
                answer = await http.post(
                    "/queues/insertdataincallqueue/",
                    json={"batch_id": self._batches, "data": items},
                )
            assert answer.status_code == 200, answer.text

    async def post_quick(self) -> None:
        for shape, key in self.keys.items():
            body = {
                "asterisk_server_code": "pbx1",
                "number1": self.number(shape, QUICK),
                "number2": QUICK.action[1].format(self.begin(shape, QUICK)),
                "customer_name": "Jane Roe",
                "endpoint": "carrier",
                "action": {"Application": QUICK.action[0]},
                "project": "spring",
            }
            async with self._http(key) as http:
                answer = await http.post("/queues/insertquickcall/", json=body)
            assert answer.status_code == 200, answer.text

    async def until_pushed(self, outcomes: Sequence[Outcome]) -> None:
        wanted = {self.number(shape, outcome) for shape in self.shapes for outcome in outcomes}
        async with asyncio.timeout(PATIENCE):
            while not wanted <= self.pushed.keys():
                self.changed.clear()
                await self.changed.wait()

    def begin(self, shape: Shape, outcome: Outcome) -> str:
        """The beginning of the number, which names client and outcome."""
        return f"{self.run}{self.shapes.index(shape)}{ALL.index(outcome):02d}"

    def number(self, shape: Shape, outcome: Outcome) -> str:
        rest = outcome.channel.partition("/")[2].partition("@")[0]
        return rest.format(self.begin(shape, outcome))

    def _make_item(self, shape: Shape, outcome: Outcome) -> dict[str, Any]:
        begin = self.begin(shape, outcome)
        application, data = outcome.action
        action = {
            "Action": "Originate",
            "Channel": outcome.channel.format(begin),
            "Application": application,
            "Data": data.format(begin),
        }
        common = {"asterisk_server_code": "pbx1", "caller_id": CALLER, "project": "spring"}
        return {**common, "contact_number": 98123, "action": action, **outcome.item}

    def _http(self, key: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.product.http_port}/calling/api",
            headers={"Authorization": f"Bearer {key}"},
        )

    async def cancel(self) -> None:
        """Hang the calls up while they ring, as the product does with one that lasts too long."""
        async with logged_in(self.lab.pbx1) as ami:
            await self.post([CANCELLED])
            numbers = {self.number(shape, CANCELLED) for shape in self.shapes}
            (link,) = self.product.engine._links._links.values()
            for channel_id in await _ringing(ami, numbers):
                await link.hang_up(channel_id)
        await self.until_pushed([CANCELLED])

    async def lose(self) -> None:
        """Let the calls ring and end while the product is not there."""
        async with logged_in(self.lab.pbx1) as ami:
            await self.post([LOST])
            channels = await _ringing(ami, {self.number(shape, LOST) for shape in self.shapes})
            await self.product.stop(0.0)
            await ami.until(lambda session: _are_gone(session, channels))
        self.product = self._make()
        await self.product.start()
        await self.until_pushed([LOST])

    async def collect(self) -> list[Told]:
        """Everything that was told, by shape and outcome."""
        rows = await self.product.store.cdrs(None, 0, 1000)
        by_number = {cdr.number: (row_id, cdr) for row_id, cdr in rows}
        told = []
        for shape in self.shapes:
            for outcome in ALL:
                number = self.number(shape, outcome)
                row_id, cdr = by_number.get(number, (None, None))
                view = View(ZoneInfo(ZONE), row_id, quick=outcome is QUICK)
                told.append(Told(shape, outcome, self.pushed[number], cdr, view))
        return told


ALL = (QUICK, *DIRECT, CANCELLED, LOST, EXPIRED)


async def call_all(lab: Lab, folder: Path, shapes: Sequence[Shape]) -> list[Told]:
    """A call of every outcome for a client of each shape. The database lies in `folder`."""
    os.environ[_SECRET_NAME] = SECRET
    async with _open(lab, folder, shapes) as site:
        await site.post([*DIRECT, EXPIRED])
        await site.post_quick()
        await site.until_pushed([QUICK, *DIRECT, EXPIRED])
        await site.cancel()
        await site.lose()
        return await site.collect()


@asynccontextmanager
async def _open(lab: Lab, folder: Path, shapes: Sequence[Shape]) -> AsyncIterator[Site]:
    site = Site(lab, folder, shapes)
    async with CallbackSink(site.take) as sink:
        await site.product.start()
        try:
            await site.make_clients(sink.origin)
            yield site
        finally:
            await site.product.stop(0.0)


async def _ringing(ami: RawAmi, numbers: set[str]) -> list[str]:
    """The ids of the channels to these numbers, once all of them ring."""
    found: dict[str, str] = {}

    def all_ring(session: RawAmi) -> bool:
        for message in session.messages:
            number = message["DialString"].partition("@")[0]
            if message.event == "DialBegin" and number in numbers:
                found[number] = message["DestUniqueid"]
        rings = {
            message["Uniqueid"]
            for message in session.messages
            if message.event == "Newstate" and message["ChannelStateDesc"] == "Ringing"
        }
        return found.keys() == numbers and set(found.values()) <= rings

    await ami.until(all_ring)
    return list(found.values())


def _are_gone(ami: RawAmi, channels: Sequence[str]) -> bool:
    gone = {message["Uniqueid"] for message in ami.messages if message.event == "Hangup"}
    return gone.issuperset(channels)
