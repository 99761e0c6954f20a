"""One worker against a simulated Asterisk, as fast as it goes: durable, CDRs, two deliveries each.

    .venv/bin/python -m bench.worker_rate --calls 20000 --channels 300

Simulator and sinks run in processes of their own. Prints calls a second from the first Originate to
the last delivery, and the CPU of the dialer's process a call.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from ami.simulator import Simulator, SimulatorConfig
from bench.loop_watch import LoopWatch
from bench.sink_process import Sinks, run_sinks
from dialer.app import Product
from dialer.settings import load_settings
from dialer.store.contract import Server

KEY = "bench-superuser"


async def _simulate(pipe: "Connection[Any, Any]", scale: float) -> None:
    simulator = Simulator(SimulatorConfig(scale=scale))
    await simulator.start()
    pipe.send(simulator.port)
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    pipe.send(simulator.counters.originates)
    await simulator.stop()


def _main(pipe: "Connection[Any, Any]", scale: float) -> None:
    asyncio.run(_simulate(pipe, scale))


@contextmanager
def run_simulator(scale: float) -> Iterator[tuple[int, "Connection[Any, Any]"]]:
    """A simulated Asterisk in a process of its own: its port, and the pipe that ends it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs, scale), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        process.join(5)
        if process.is_alive():
            process.kill()


async def measure(
    port: int, sinks: Sinks, options: argparse.Namespace, folder: Path
) -> tuple[float, float, LoopWatch]:
    os.environ["BENCH_SECRET"] = "dialer-lab"
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
    server = Server(0, "pbx1", "127.0.0.1", port, "dialer", secret_env="BENCH_SECRET", paused=True)
    await product.store.add_server(server, time.time())
    await load(product, sinks, options)
    watch = LoopWatch()
    if options.watch:
        watch.install()
    used, started = cpu(), time.monotonic()
    await product.store.change_server("pbx1", {"paused": False}, time.time())
    product.signals.clients_changed()
    while True:
        totals = await product.store.totals()
        if totals.cdrs >= options.calls and not [
            n for name, n in totals.deliveries.items() if name.endswith("pending") and n
        ]:
            break
        await asyncio.sleep(0.5)
    elapsed, spent = time.monotonic() - started, cpu() - used
    await product.stop(5.0)
    return elapsed, spent, watch


async def load(product: Product, sinks: Sinks, options: argparse.Namespace) -> None:
    base = f"http://127.0.0.1:{product.http_port}/calling/api"
    async with httpx.AsyncClient(base_url=base, timeout=60.0) as http:
        made = await http.post(
            "/clients/",
            headers={"Authorization": f"Bearer {KEY}"},
            json={
                "name": "b",
                "accountcode": "b",
                "username": "b",
                "allocated_channels": options.channels,
                "callbackurl": sinks.callback_url,
            },
        )
        made.raise_for_status()
        await product.store.change_client("b", {"max_cps": options.cps}, time.time())
        product.signals.clients_changed()
        headers = {"Authorization": f"Bearer {made.json()['api_key']}"}
        queue_id = None
        for number, start in enumerate(range(0, options.calls, 1000)):
            items = [
                {
                    "asterisk_server_code": "pbx1",
                    "action": {
                        "Action": "Originate",
                        "Channel": f"PJSIP/7{n:07d}08@carrier",
                        "Application": "Wait",
                        "Data": "30",
                    },
                }
                for n in range(start, min(start + 1000, options.calls))
            ]
            body = {"batch_id": number + 1, "queue_id": queue_id, "data": items}
            answer = await http.post("/queues/insertdataincallqueue/", headers=headers, json=body)
            answer.raise_for_status()
            queue_id = answer.json()["data"]["queue_id"]


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--channels", type=int, default=300)
    parser.add_argument("--cps", type=float, help="a steady rate instead of all that goes")
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--watch", action="store_true", help="measure how long the loop is held")
    parser.add_argument("--profile", help="write a cProfile of the main thread there")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        run_sinks() as sinks,
        run_simulator(options.scale) as (port, pipe),
    ):
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        elapsed, spent, watch = asyncio.run(measure(port, sinks, options, Path(folder)))
        if options.profile:
            profile.disable()
            profile.dump_stats(options.profile)
            pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        callbacks, sgapi, twice = sinks.collect()
        pipe.send("end")
        originates = pipe.recv()
    print(
        f"calls {options.calls}  originates {originates}  callbacks {len(callbacks)}  "
        f"SGAPI {len(sgapi)}  twice {twice}"
    )
    print(
        f"{options.calls / elapsed:.0f} calls/s, dialer CPU "
        f"{1000 * spent / options.calls:.3f} ms a call"
    )
    if options.watch:
        print(f"event loop held at most {1000 * watch.longest:.1f} ms of its own CPU")
        for held, what in watch.worst:
            print(f"   {1000 * held:.1f} ms  {what}")


if __name__ == "__main__":
    main()
