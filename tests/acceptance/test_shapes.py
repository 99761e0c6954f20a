"""Callbacks in another API's shape arrive signed, and are what that API answers of those calls."""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import md5
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from dialer.delivery.signing import derive_secret, show_secret
from dialer.dialects import Shape
from dialer.signing_key import load_signing_key
from dialer.sinks import CallbackSink
from tests.acceptance.plant import Plant
from tests.patience import PATIENCE
from tests.shapes import find_differences, read_shape

ENDINGS = ("00", "01", "04")
"""Answered, busy, unallocated."""
WORDS = {
    Shape.DEFAULT: ("status", ["ANSWERED", "BUSY", "INVALID"]),
    Shape.FLEX: ("status", ["answered", "busy", "invalid"]),
    Shape.OZONETEL: ("Disposition", ["answered", "busy", "invalid"]),
    Shape.PBX: ("call_status", ["ANSWERED", "BUSY", "FAILED"]),
}
FORMS = {
    Shape.DEFAULT: "v2_default",
    Shape.FLEX: "v2_flex",
    Shape.OZONETEL: "ozonetel_details",
    Shape.PBX: "pbx",
}
NUMBERS = ("to_number", "to", "DialedNumber", "destination")


class Receiver(CallbackSink):
    """Keeps what is posted, by the number dialed, with its headers and bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Any]] = {}
        self.came: list[tuple[dict[str, str], bytes]] = []

    async def _take(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        self.came.append((dict(request.headers), raw))
        self.records[next(body[name] for name in NUMBERS if name in body)] = body
        self._notify()
        return web.json_response({})


async def signing_secret(plant: Plant) -> str:
    """The client's, as the operator would hand it over."""
    key = load_signing_key(plant.product.settings)
    installation = await plant.product.store.installation_secret()
    return show_secret(derive_secret(key, installation, 1, 1))


async def read_back(plant: Plant, key: str, shape: Shape) -> list[dict[str, Any]]:
    """The same calls over the API of that shape, as one of its clients asks."""
    headers = {"Authorization": f"Bearer {key}"}
    address = f"http://127.0.0.1:{plant.product.http_port}"
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=PATIENCE) as http:
        if shape in (Shape.DEFAULT, Shape.FLEX):  # the client's own mapping
            return list((await http.get("/v2/cdr")).json()["data"])
        if shape is Shape.OZONETEL:
            day = f"{datetime.now(ZoneInfo('UTC')):%Y-%m-%d}"
            asked = {"fromDate": f"{day} 00:00:00", "toDate": f"{day} 23:59:59", "userName": "acme"}
            report = "/ca_reports/fetchCDRDetails"
            return list((await http.request("GET", report, json=asked)).json()["details"])
        signature = md5(f"page=1{key}".encode(), usedforsecurity=False).hexdigest()
        answer = await http.get("/api/cdr", params={"page": "1", "api_hash": signature})
        return list(answer.json()["results"])


@pytest.mark.parametrize("shape", list(WORDS))
async def test_what_is_pushed_is_what_is_read(shape: Shape, tmp_path: Path) -> None:
    receiver = Receiver()
    async with Plant(tmp_path, callbacks=receiver) as plant:
        mapping = "flex" if shape is Shape.FLEX else "default"
        key = await plant.add_client(callback_shape=shape.value, cdr_mapping=mapping)
        calls = [f"555{place}{ending}" for place, ending in enumerate(ENDINGS)]
        item = {"project": "spring", "contact_number": 98123}
        await plant.post(key, calls, item=item)
        await plant.until(lambda: len(receiver.records) == len(calls))
        pushed = [receiver.records[number] for number in calls]
        verifier = Webhook(await signing_secret(plant))
        assert len(receiver.came) == len(calls)
        for headers, raw in receiver.came:
            assert verifier.verify(raw, headers) in pushed
            assert headers["webhook-id"] == headers["Idempotency-Key"]
        name, words = WORDS[shape]
        assert [record[name] for record in pushed] == words
        assert [find_differences(record, FORMS[shape]) for record in pushed] == [[]] * len(calls)
        read = await read_back(plant, key, shape)
        assert sorted(map(_exactly, read)) == sorted(map(_exactly, pushed))


@pytest.mark.parametrize("shape", list(WORDS))
async def test_an_item_that_expires_is_told_once_in_the_shape(shape: Shape, tmp_path: Path) -> None:
    receiver = Receiver()
    async with Plant(tmp_path, callbacks=receiver) as plant:
        key = await plant.add_client(callback_shape=shape.value)
        await plant.post(key, ["5550100"], item={"deadline": "2024-01-01T00:00:00Z"})
        await plant.until(lambda: bool(receiver.records))
        (record,) = receiver.records.values()
        assert list(record) == [name for name, _ in read_shape(FORMS[shape])["keys"]]
        assert [headers["Idempotency-Key"][:5] for headers, _ in receiver.came] == ["item-"]
        assert plant.simulator.counters.originates == 0
        assert await read_back(plant, key, shape) == []


def _exactly(record: Mapping[str, Any]) -> str:
    """Keys in their order, with values of their types."""
    return json.dumps(record)
