"""How long request bodies that are made to take long hold the event loop.

    python -m bench.hostile_bodies [--rounds 5]

Prints for each body its size and the answer's status, and of all rounds the least of: the longest
callback of the event loop (CPU time; other threads are not in it), the longest time that /healthz
took meanwhile, and how long the answer took.
"""

import argparse
import asyncio
import json
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench.ingest import KEY, run_product
from bench.validate import make_item
from dialer.bodies import Action, QueueItem

BATCH: Final = "/calling/api/queues/insertdataincallqueue/?accountcode=bench"
QUICK: Final = "/calling/api/queues/insertquickcall/?accountcode=bench"
ACTION: Final = {"Action": "Originate", "Channel": "PJSIP/1234567890@endpoint1"}
ITEM: Final = {"asterisk_server_code": "server1", "action": ACTION}
WRONG: Final[list[int]] = []  # is wrong for every field


def keys(count: int) -> dict[str, int]:
    return {f"k{number}": 1 for number in range(count)}


def batch(items: list[Any], **more: object) -> bytes:
    return json.dumps({"batch_id": 1, "data": items, **more}, separators=(",", ":")).encode()


def quoted(number: int) -> dict[str, Any]:
    variable = ",".join(f'V{place}="{number},{place}"' for place in range(40))
    return {**ITEM, "action": {**ACTION, "Variable": variable}}


def bodies() -> dict[str, tuple[str, bytes]]:
    """Name → path and body."""
    quick = {"asterisk_server_code": "server1", "number1": "1", "customer_name": "x"}
    worst = {
        **dict.fromkeys(QueueItem.__annotations__, WRONG),
        "action": dict.fromkeys(Action.__annotations__, WRONG),
    }
    unknown = {**ITEM, "action": {**ACTION, **keys(39)}}
    nested = '{"a":' * 100 + "1" + "}" * 100
    return {
        "batch: 1000 usual items": (BATCH, batch([make_item(n) for n in range(1000)])),
        "quick call: 300k keys": (QUICK, json.dumps({**quick, "action": keys(300_000)}).encode()),
        "quick call: 5k keys": (QUICK, json.dumps({**quick, "action": keys(5_000)}).encode()),
        "batch: 40 quoted variables each": (BATCH, batch([quoted(n) for n in range(1000)])),
        "batch: every field wrong": (BATCH, batch([worst] * 1000)),
        "batch: 41 keys an action": (BATCH, batch([unknown] * 1000)),
        "batch: 350k keys": (BATCH, batch([{**ITEM, "action": keys(350_000)}])),
        "batch: 62k keys": (BATCH, batch([{**ITEM, "action": keys(62_000)}])),
        "batch: 29k keys": (BATCH, batch([{**ITEM, "action": keys(29_000)}])),
        "batch: 98k keys": (BATCH, batch([{**ITEM, "action": keys(98_000)}])),
        "batch: 98k keys in an item": (BATCH, batch([{**ITEM, **keys(98_000)}])),
        "batch: data of 2M integers": (BATCH, batch([1] * 2_000_000)),
        "batch: dids of 45k lists": (BATCH, batch([ITEM], dids=[[]] * 45_000)),
        "batch: nested objects": (BATCH, f'{{"data":[{",".join([nested] * 6000)}]}}'.encode()),
        "batch: integers of 4300 digits": (
            BATCH,
            batch([{**ITEM, "contact_number": "@"}] * 900).replace(b'"@"', b"9" * 4300),
        ),
        "batch: 4 MB of texts": (BATCH, batch([{**ITEM, "note": "\n" * 2000}] * 950)),
        "batch: 4 MB of wrong texts": (BATCH, batch([{**ITEM, "project": "\n" * 2000}] * 950)),
    }


async def post(http: aiohttp.ClientSession, url: str, body: bytes) -> tuple[int, float]:
    """Status, and seconds until the answer."""
    started = time.perf_counter()
    async with http.post(url, data=body) as answer:
        await answer.read()
        return answer.status, time.perf_counter() - started


async def ping(http: aiohttp.ClientSession, url: str, enough: asyncio.Event) -> float:
    """Ask one time after another; the longest time that it took."""
    waits: list[float] = []
    while not enough.is_set():
        started = time.perf_counter()
        async with http.get(url) as answer:
            await answer.read()
        waits.append(time.perf_counter() - started)
    return max(waits)


async def measure(port: int, pipe: "Connection[Any, Any]", rounds: int) -> None:
    origin = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(
        headers={"X-API-KEY": KEY, "Content-Type": "application/json"}
    ) as http:
        client = {"name": "bench", "accountcode": "bench", "username": "bench"}
        await post(http, f"{origin}/calling/api/clients/", json.dumps(client).encode())
        for name, (path, body) in bodies().items():
            seen = [
                await watch(http, origin, path, body.replace(b'_id":1', b'_id":%d' % turn, 1), pipe)
                for turn in range(1, rounds + 1)
            ]
            status, waits, holds, wholes = zip(*seen, strict=True)
            print(
                f"{name:<32} {len(body) / 1000:6.0f} kB  {status[0]}"
                f"  held {min(holds) * 1000:7.1f} ms  a ping waited {min(waits) * 1000:7.1f} ms"
                f"  answered after {min(wholes) * 1000:7.1f} ms"
            )


async def watch(
    http: aiohttp.ClientSession, origin: str, path: str, body: bytes, pipe: "Connection[Any, Any]"
) -> tuple[int, float, float, float]:
    """Status, the longest ping, the longest hold, and seconds until the answer."""
    enough = asyncio.Event()
    pings = asyncio.create_task(ping(http, f"{origin}/healthz", enough))
    status, whole = await post(http, origin + path, body)
    enough.set()
    wait = await pings
    pipe.send("collect")
    return status, wait, pipe.recv()[1], whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    with (
        tempfile.TemporaryDirectory() as folder,
        run_product(Path(folder) / "bench.db") as (port, pipe),
    ):
        asyncio.run(measure(port, pipe, parser.parse_args().rounds))


if __name__ == "__main__":
    main()
