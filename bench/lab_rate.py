"""Answered calls at a steady rate on the lab's real Asterisk, everything durable and delivered.

    make lab-up && .venv/bin/python -m bench.lab_rate --rate 100 --seconds 30

Prints the rate reached, wrong calls (compared with the carrier's own log), the dialer's CPU a call,
and how long the event loop was ever held, in CPU of its own. Exit 1 if any call is wrong or the
loop was held for over 50 ms.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from bench.loop_watch import LoopWatch
from bench.sink_process import Sinks, run_sinks
from dialer.app import Product
from dialer.settings import load_settings
from dialer.store.contract import Server
from tests.lab.carrier_log import read_calls
from tests.lab.running_lab import SECRET, Lab, find_lab

LONGEST_HOLD = 0.050
KEY = "bench-superuser"


async def measure(lab: Lab, sinks: Sinks, rate: int, seconds: int, folder: Path) -> bool:
    os.environ["BENCH_SECRET"] = SECRET
    settings = load_settings(
        env_file=None,
        database_url=f"sqlite+aiosqlite:///{folder}/bench.db",
        http_port=0,
        superuser_api_key=KEY,
        callback_allow_private=True,
        sgapi_url=sinks.sgapi_url,
    )
    product = Product(settings)
    await product.start()
    pbx = lab.pbx1
    server = Server(0, "pbx1", pbx.host, pbx.port, pbx.username, secret_env="BENCH_SECRET")
    await product.store.add_server(server, time.time())
    numbers = [f"7{n:06d}00" for n in range(rate * seconds)]
    since = time.time()
    watch = LoopWatch()
    queue = await load(product, sinks, rate, numbers, watch)
    usage = cpu()
    started = time.monotonic()
    await completed(product, queue, seconds + 60)
    elapsed = time.monotonic() - started
    spent = cpu() - usage
    watch.uninstall()
    await product.stop(5.0)
    callbacks, sgapi, twice = sinks.collect()
    return report(
        numbers,
        callbacks,
        sgapi,
        twice,
        read_calls(lab.carrier_log, since),
        {
            "rate": rate,
            "elapsed": elapsed,
            "cpu": spent,
            "watch": watch,
        },
    )


async def load(
    product: Product, sinks: Sinks, rate: int, numbers: list[str], watch: LoopWatch
) -> int:
    base = f"http://127.0.0.1:{product.http_port}/calling/api"
    async with httpx.AsyncClient(base_url=base, timeout=60.0) as http:
        made = await http.post(
            "/clients/",
            headers={"Authorization": f"Bearer {KEY}"},
            json={
                "name": "b",
                "accountcode": "b",
                "username": "b",
                "allocated_channels": 5000,
                "callbackurl": sinks.callback_url,
            },
        )
        made.raise_for_status()
        await product.store.change_client("b", {"max_cps": float(rate)}, time.time())
        product.signals.clients_changed()
        headers = {"Authorization": f"Bearer {made.json()['api_key']}"}
        watch.install()
        queue_id = None
        for number, start in enumerate(range(0, len(numbers), 1000)):
            items = [
                {
                    "asterisk_server_code": "pbx1",
                    "action": {
                        "Action": "Originate",
                        "Channel": f"PJSIP/{n}@carrier",
                        "Application": "Wait",
                        "Data": "30",
                    },
                }
                for n in numbers[start : start + 1000]
            ]
            body = {"batch_id": number + 1, "queue_id": queue_id, "data": items}
            answer = await http.post("/queues/insertdataincallqueue/", headers=headers, json=body)
            answer.raise_for_status()
            queue_id = answer.json()["data"]["queue_id"]
    assert isinstance(queue_id, int)
    return queue_id


async def completed(product: Product, queue_id: int, patience: float) -> None:
    async with asyncio.timeout(patience):
        # From outside there is nothing to wait for.
        while (await product.store.queue(queue_id, None)).status != "completed":  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        while (await product.store.totals()).deliveries.get("callback/pending"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(
    numbers: list[str],
    callbacks: dict[str, Any],
    sgapi: dict[str, Any],
    twice: int,
    carrier: list[Any],
    figures: dict[str, Any],
) -> bool:
    watch: LoopWatch = figures["watch"]
    said = Counter(body["disposition"] for body in callbacks.values())
    did = Counter(call.did for call in carrier)
    rang = Counter(call.number for call in carrier)
    starts = sorted(call.at for call in carrier)
    reached = (len(starts) - 1) / (starts[-1] - starts[0])
    most = max(
        sum(1 for s in starts[i : i + 2 * figures["rate"]] if s < at + 1.0)
        for i, at in enumerate(starts)
    )
    count = len(numbers)
    wrong = count - said["answered"] + count - did["answer"]
    wrong += sum(n - 1 for n in rang.values()) + twice
    wrong += len(callbacks.keys() ^ sgapi.keys()) + abs(len(callbacks) - count)
    print(f"calls {count}  CDRs {dict(said)}  carrier {dict(did)}  wrong {wrong}")
    print(
        f"rate {reached:.1f}/s at the carrier (wanted {figures['rate']}), "
        f"most in a rolling second {most}"
    )
    print(
        f"dialer CPU {1000 * figures['cpu'] / count:.3f} ms a call "
        f"(whole process, with HTTP ingest, commit, CDR, two deliveries)"
    )
    print(
        f"event loop held at most {1000 * watch.longest:.1f} ms of its own CPU, "
        f"{watch.over_10_ms} times over 10 ms"
    )
    for spent, what in watch.worst:
        print(f"   {1000 * spent:.1f} ms  {what}")
    return wrong == 0 and watch.longest <= LONGEST_HOLD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    lab = find_lab()
    if isinstance(lab, str):
        sys.exit(lab)
    with tempfile.TemporaryDirectory() as folder, run_sinks() as sinks:
        right = asyncio.run(measure(lab, sinks, options.rate, options.seconds, Path(folder)))
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
