"""What an endpoint that takes requests and never answers does to the deliveries of all others.

    .venv/bin/python -m bench.hanging_endpoint --rounds 6 --seconds 12

Rounds alternate: in one, a ninth endpoint answers like the other eight; in the next it hangs. Each
has an outbox of its own on disk, and deliveries that come steadily. Printed is the time from the
offer to the answer, of the eight, as medians over the rounds.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from dialer.clock import Clock, SystemClock
from dialer.delivery.outbox import Deliverer
from dialer.delivery.receivers import ReceiverBook
from dialer.delivery.sender import SecretsOf, Sender, SenderSettings
from dialer.delivery.verdict import Answer
from dialer.store.bulk import driver_cursor
from dialer.store.contract import Client, Delivery, NewDelivery, StoredKey
from dialer.store.deltas import Deltas
from dialer.store.outbox import insert_deliveries
from dialer.store.sqlite import SqliteStore

HEALTHY = 8
TICK = 0.02
ANSWER_TIME = 0.01
"""Seconds that a receiver takes."""


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    await asyncio.sleep(ANSWER_TIME)
    return web.json_response({"status": "success"})


async def _hang(request: web.Request) -> web.Response:
    await request.read()
    await asyncio.Event().wait()
    raise AssertionError("never")


async def _serve(pipe: "Pipe[Any, Any]") -> None:
    ports = []
    runners = []
    for handler in [_answer] * (HEALTHY + 1) + [_hang]:
        app = web.Application()
        app.router.add_post("/", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.append(runner.addresses[0][1])
        runners.append(runner)
    pipe.send(ports)
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    for runner in runners:
        await runner.cleanup()


def _main(pipe: "Pipe[Any, Any]") -> None:
    asyncio.run(_serve(pipe))


@contextmanager
def run_receivers() -> Iterator[list[int]]:
    """Receivers in a process of their own: the ports of the healthy ones, of one more that may take
    the hanging one's place, and of the hanging one."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join(5)
        if process.is_alive():
            process.kill()


class TimingSender(Sender):
    """Notes when each delivery was answered first."""

    def __init__(self, clock: Clock, settings: SenderSettings, secrets_of: SecretsOf) -> None:
        super().__init__(clock, settings, secrets_of)
        self.answered: dict[int, float] = {}

    async def send(self, delivery: Delivery) -> Answer:
        answer = await super().send(delivery)
        self.answered.setdefault(delivery.id, time.perf_counter())
        return answer


def make_delivery(port: int, number: int) -> NewDelivery:
    url = f"http://127.0.0.1:{port}/"
    body = json.dumps({"event_type": "call_completed", "custom_data": "x" * 700, "n": number})
    return NewDelivery("callback", 1, url, url, "POST", f"event-{number}", body, time.time())


def insert(connection: Connection, new: Sequence[NewDelivery]) -> list[Delivery]:
    cursor, deltas = driver_cursor(connection), Deltas()
    stored = insert_deliveries(cursor, [(delivery, time.time()) for delivery in new], deltas)
    deltas.apply(cursor)
    return stored


async def measure(ports: list[int], ninth: int, options: argparse.Namespace) -> list[float]:
    """Seconds from offer to answer of every delivery to the healthy ones, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(f"sqlite+aiosqlite:///{Path(folder)}/bench.db")
        await store.open()
        client = Client(0, "b", "b", "b", callback_url="http://127.0.0.1/")
        await store.add_client(client, StoredKey("lookup", "digest"), time.time())
        clock = SystemClock()
        book = ReceiverBook(store, lambda: b"k" * 32)
        settings = SenderSettings(allow_private=True, total_timeout=options.timeout)
        sender = TimingSender(clock, settings, book.secrets_of)
        deliverer = Deliverer(store, clock, sender, book, random.Random(1))
        task = asyncio.create_task(deliverer.run())
        offered = await load(store, deliverer, ports, ninth, options)
        await asyncio.sleep(1.0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await store.close()
    late = time.perf_counter()
    return sorted(sender.answered.get(id_, late) - at for id_, at in offered.items())


async def load(
    store: SqliteStore,
    deliverer: Deliverer,
    ports: list[int],
    ninth: int,
    options: argparse.Namespace,
) -> dict[int, float]:
    """Offer steadily; when each delivery to a healthy endpoint was."""
    offered: dict[int, float] = {}
    chance = random.Random(2)
    started = time.perf_counter()
    number = 0
    while (elapsed := time.perf_counter() - started) < options.seconds:
        new = []
        while number < elapsed * options.rate:
            port = ninth if chance.random() < options.share else chance.choice(ports)
            new.append(make_delivery(port, number))
            number += 1
        if new:
            stored = await store._run(lambda connection, new=new: insert(connection, new))
            at = time.perf_counter()
            ninth_url = f"http://127.0.0.1:{ninth}/"
            offered |= {delivery.id: at for delivery in stored if delivery.url != ninth_url}
            deliverer.offer(stored)
        await asyncio.sleep(TICK)
    return offered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--rate", type=float, default=300.0, help="deliveries a second in all")
    parser.add_argument("--share", type=float, default=0.2, help="of them to the ninth endpoint")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds of a try")
    options = parser.parse_args()
    found: dict[str, list[list[float]]] = {"answers": [], "hangs": []}
    with run_receivers() as ports:
        *healthy, ninth, hanging = ports
        for place in range(options.rounds):
            pair = [("answers", ninth), ("hangs", hanging)]
            for name, port in pair if place % 2 else pair[::-1]:
                found[name].append(asyncio.run(measure(healthy, port, options)))
    medians = {}
    for name, rounds in found.items():
        for share in (0.5, 0.99):
            values = [1000 * times[int(share * len(times))] for times in rounds]
            medians[name, share] = statistics.median(values)
            shown = ", ".join(f"{value:.1f}" for value in values)
            print(f"the ninth {name}: p{100 * share:g} {medians[name, share]:.1f} ms ({shown})")
    for share in (0.5, 0.99):
        ratio = medians["hangs", share] / medians["answers", share]
        print(f"p{100 * share:g} with an endpoint that hangs: {ratio:.2f} of that without")


if __name__ == "__main__":
    main()
