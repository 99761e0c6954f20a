"""What coordination costs: a slot's grant, its round trip, and how many a second, for 1 and 3
workers (a process each) on one Redis.

    python -m bench.coordination [--seconds 3] [--at-once 20]

A call is what the engine asks of Redis: a slot, a turn, and the slot's return. Beside it stands the
limit: PINGs over the same kind of connection in the same run. Redis' own time is what
`INFO commandstats` says of the script.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from dialer.coordination.address import parse_address
from dialer.coordination.connection import Connection
from dialer.coordination.contract import Held, SlotWish, Verdict
from dialer.coordination.redis import RedisCoordinator
from tests.redis_server import RedisServer

CLIENT: Final = 1
ENOUGH: Final = 100_000
CPS: Final = 500_000.0


class Driver:
    """Tells when its server is there."""

    def __init__(self) -> None:
        self.granted = asyncio.Event()

    def server_granted(self, server_id: int) -> None:
        self.granted.set()

    def server_wanted(self, server_id: int) -> None:
        raise AssertionError("every worker has its own")

    def server_lost(self, server_id: int) -> None:
        print(f"server {server_id} was lost", file=sys.stderr)

    def room(self) -> None:
        """Whoever was refused asks again by itself."""


async def nothing_held() -> Held:
    return Held((), ())


async def place_call(coordinator: RedisCoordinator, server: int, name: str) -> float:
    """A slot, a turn, and the slot's return; seconds until the slot was granted."""
    began = time.perf_counter()
    verdict = await coordinator.take(SlotWish(CLIENT, server, name, ENOUGH, None))
    took = time.perf_counter() - began
    assert verdict is Verdict.GRANTED, verdict
    await coordinator.turn(CLIENT, CPS)
    coordinator.free(name)
    return took


async def keep_placing(
    coordinator: RedisCoordinator, server: int, lane: int, until: float, times: list[float]
) -> None:
    number = 0
    while time.perf_counter() < until:
        times.append(await place_call(coordinator, server, f"{server}-{lane}-{number}"))
        number += 1


async def work(url: str, server: int, seconds: float, at_once: int) -> dict[str, float]:
    """One worker's figures; a line on standard input starts it."""
    driver = Driver()
    coordinator = RedisCoordinator(parse_address(url), nothing_held)
    await coordinator.open()
    coordinator.offer({server})
    running = asyncio.ensure_future(coordinator.run(driver))
    await driver.granted.wait()
    coordinator.hold(server, ())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    times: list[float] = []
    cpu, began = time.process_time(), time.perf_counter()
    lanes = (
        keep_placing(coordinator, server, lane, began + seconds, times) for lane in range(at_once)
    )
    await asyncio.gather(*lanes)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    running.cancel()
    await asyncio.wait([running])
    await coordinator.close()
    times.sort()
    return {
        "calls": len(times) / took,
        "p50": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
        "cpu": cpu / len(times),
    }


async def ping(url: str, seconds: float) -> tuple[float, float]:
    """The limit: seconds for one PING alone, and PINGs a second, twenty under way."""
    connection = await Connection.open(parse_address(url), 5)
    alone = []
    for _ in range(2000):
        began = time.perf_counter()
        await connection.ask("PING")
        alone.append(time.perf_counter() - began)
    count, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        await asyncio.gather(*(connection.ask("PING") for _ in range(20)))
        count += 20
    connection.close()
    return sorted(alone)[1000], count / seconds


def measure(redis: RedisServer, workers: int, seconds: float, at_once: int) -> None:
    redis.command("FLUSHALL")
    redis.command("CONFIG", "RESETSTAT")
    command = [sys.executable, "-m", "bench.coordination", "--seconds", str(seconds)]
    command += ["--at-once", str(at_once), "--worker-of", redis.url]
    processes = [
        subprocess.Popen(
            [*command, "--server", str(server)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for server in range(1, workers + 1)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    found = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate()
        found.append(json.loads(out))
    tell(redis, workers, at_once, found)


def tell(redis: RedisServer, workers: int, at_once: int, found: Sequence[dict[str, float]]) -> None:
    calls = sum(figures["calls"] for figures in found)
    p50 = sorted(figures["p50"] for figures in found)[len(found) // 2]
    p99 = max(figures["p99"] for figures in found)
    cpu = sum(figures["cpu"] for figures in found) / len(found)
    stats = redis.command("INFO", "commandstats").decode()
    line = next(row for row in stats.splitlines() if row.startswith("cmdstat_evalsha"))
    redis_seconds = float(line.partition("usec=")[2].partition(",")[0]) / 1e6
    total = sum(figures["calls"] for figures in found) * found[0].get("seconds", 1.0)
    print(
        f"{workers} worker(s), {at_once} at once each: {calls:,.0f} calls/s; grant p50"
        f" {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms; worker {cpu * 1e6:.0f} µs of CPU a call;"
        f" Redis {redis_seconds / total * 1e6:.1f} µs a call"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="What coordination costs.")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--worker-of", help=argparse.SUPPRESS)
    parser.add_argument("--server", type=int, default=1, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker_of:
        figures = asyncio.run(work(chosen.worker_of, chosen.server, chosen.seconds, chosen.at_once))
        print(json.dumps({**figures, "seconds": chosen.seconds}))
        return
    with RedisServer() as redis:
        alone, many = asyncio.run(ping(redis.url, chosen.seconds))
        print(f"PING: {alone * 1e3:.2f} ms alone; {many:,.0f} a second, 20 under way")
        for workers in (1, 3):
            measure(redis, workers, chosen.seconds, 1)
            measure(redis, workers, chosen.seconds, chosen.at_once)
        measure(redis, 1, chosen.seconds, 200)


if __name__ == "__main__":
    main()
