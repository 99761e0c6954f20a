"""Clients that asked are told when a call starts and is answered; others of its end alone."""

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from dialer.dialects import Shape
from dialer.sinks import CallbackSink
from tests.acceptance.plant import Plant

BOTH = ["call_started", "call_answered"]


class Receiver(CallbackSink):
    """Keeps what is posted, by client and number, with its Idempotency-Key."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        of = (request.path.strip("/"), str(body.get("phone_number") or body["to_number"]))
        self.told.setdefault(of, []).append((request.headers["Idempotency-Key"], body))
        self._notify()
        return web.json_response({})

    def events(self, client: str, number: str) -> list[str]:
        told = self.told.get((client, number), [])
        return sorted(body.get("event_type", "shaped") for _, body in told)


async def test_who_asked_is_told_and_others_are_not(tmp_path: Path) -> None:
    receiver = Receiver()
    async with Plant(tmp_path, callbacks=receiver) as plant:
        asking = await plant.add_client("asking", callback_events=BOTH)
        shaped = await plant.add_client(
            "shaped", callback_events=["call_answered"], callback_shape=Shape.DEFAULT.value
        )
        silent = await plant.add_client("silent")
        for key in (asking, shaped, silent):
            await plant.post(key, ["5550100", "5550101"])
        expected = {
            ("asking", "5550100"): sorted([*BOTH, "call_completed"]),
            ("asking", "5550101"): ["call_busy", "call_started"],
            ("shaped", "5550100"): ["call_answered", "shaped"],
            ("shaped", "5550101"): ["shaped"],
            ("silent", "5550100"): ["call_completed"],
            ("silent", "5550101"): ["call_busy"],
        }
        await plant.until(lambda: {of: receiver.events(*of) for of in expected} == expected)
        # Stored beside the ends, in their order: nothing more can come.
        stored = (await plant.product.store.totals()).deliveries
        assert sum(count for name, count in stored.items() if name.startswith("callback/")) == 10
        told = receiver.told["asking", "5550100"]
        (end,) = (body for _, body in told if body["event_type"] == "call_completed")
        keys = dict(told)
        started, answered = (keys[f"{end['cdr_id']}-{name}"] for name in ("started", "answered"))
        for body in (started, answered):
            same = ("cdr_id", "channel_id", "call_id", "batch_id", "attempt", "start_time")
            assert [body[name] for name in same] == [end[name] for name in same]
            assert list(body) == list(end)
            assert (body["call_status"], body["disposition"], body["final"]) == (
                "queued", None, False,
            )  # fmt: skip
        assert len(keys) == len(told)


async def test_an_answered_call_is_not_told_again_after_a_restart(tmp_path: Path) -> None:
    receiver = Receiver()
    async with Plant(tmp_path, scale=1.0, callbacks=receiver) as plant:
        key = await plant.add_client("asking", callback_events=BOTH)
        await plant.post(key, ["5550100"], action={"Data": "2"})
        await plant.until(lambda: receiver.events("asking", "5550100") == sorted(BOTH))
        await plant.product.stop(0.0)
        await plant.start_product()
        await plant.until(lambda: "call_completed" in receiver.events("asking", "5550100"))
        assert receiver.events("asking", "5550100") == sorted([*BOTH, "call_completed"])
