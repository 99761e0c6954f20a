"""Replaying a long trace: events a second and memory, by the `dialer replay` that QA uses.

    python -m bench.replay_speed [--events 1000000] [--profile]

The trace is one call through a Local channel with a second leg, as a real Asterisk told it
(bench/unfiltered.trace: to a user without event filters; tests/traces/local_dial.trace: to one with
those of docs), repeated with ids, channels and times of its own for each call, fifty calls at a
time. Memory is that of the process, looked at while it runs: after a tenth of the time, and its
most.
"""

import argparse
import cProfile
import os
import pstats
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from ami.trace import Direction, TraceWriter, open_trace
from dialer.replay.cdrs import write_cdr
from dialer.replay.follower import Follower

ROOT = Path(__file__).parents[1]
STREAMS = {
    "all events": ROOT / "bench" / "unfiltered.trace",
    "filtered events": ROOT / "tests" / "traces" / "local_dial.trace",
}
TOGETHER = 50
CHUNK = 16 * 1024
BASE = 1_800_000_000.0
TOKEN = re.compile(
    rb"(?P<stamp>\d{10}\.\d{6})|(?P<id>\d{10}\.\d+|(?:unfiltered|local_dial)-(?:channel|action))"
    rb"|(?P<name>(?<=-)[0-9a-f]{8}(?=[;\r]))"
    rb"|(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)


@dataclass(frozen=True, slots=True)
class Template:
    """A message as its literal parts and what stands between: a kind and the value recorded."""

    received: bool
    literals: list[bytes]
    holes: list[tuple[str, bytes]]

    def fill(self, call: int, shift: float) -> bytes:
        filled = [self._fill(kind, value, call, shift) for kind, value in self.holes]
        return b"".join(chain(*zip_longest(self.literals, filled, fillvalue=b"")))

    @staticmethod
    def _fill(kind: str, value: bytes, call: int, shift: float) -> bytes:
        match kind:
            case "stamp":
                return b"%.6f" % (float(value) + shift)
            case "id":
                return b"%s.%d" % (value, call)
            case "name":
                return b"%s%06x" % (value[-2:], call)
            case _:
                return b"%s%08x" % (value[:-8], call)


def read_templates(path: Path) -> list[Template]:
    """The messages of the call, without its session's login."""
    templates: list[Template] = []
    for record in open_trace(path):
        if record.direction is Direction.NOTE or b"Login" in record.data:
            continue
        for block in record.data.split(b"\r\n\r\n"):
            if b": " in block and b"FullyBooted" not in block and b"Authentication" not in block:
                received = record.direction is Direction.RECEIVED
                templates.append(make_template(received, block + b"\r\n\r\n"))
    return templates


def make_template(received: bool, message: bytes) -> Template:
    literals, holes, end = [], [], 0
    for found in TOKEN.finditer(message):
        literals.append(message[end : found.start()])
        holes.append((found.lastgroup or "", found[0]))
        end = found.end()
    return Template(received, [*literals, message[end:]], holes)


def write_trace(path: Path, templates: list[Template], calls: int) -> None:
    """Calls that go on at the same time, their messages in chunks as a socket gives them."""
    writer = TraceWriter(path, {"server": "bench"}, BASE)
    first = next(float(value) for t in templates for kind, value in t.holes if kind == "stamp")
    for start in range(0, calls, TOGETHER):
        batch = range(start, min(start + TOGETHER, calls))
        at = BASE + start * 0.1
        pending: list[bytes] = []
        for template in templates:
            for call in batch:
                message = template.fill(call, at - first)
                if not template.received:
                    writer.write(at, Direction.SENT, message)
                    continue
                pending.append(message)
        stream = b"".join(pending)
        for place in range(0, len(stream), CHUNK):
            writer.write(at + 3.0, Direction.RECEIVED, stream[place : place + CHUNK])
    writer.close()


def replay(path: Path) -> tuple[float, float, int, list[int]]:
    """Wall and CPU seconds, the CDRs, and the resident bytes while it ran."""
    command = [sys.executable, "-m", "dialer", "replay", str(path), "--format", "json"]
    begun, cpu = time.monotonic(), os.times()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        sizes = watch(process.pid, process.stdout.readline)
    assert process.returncode == 0
    seconds, after = time.monotonic() - begun, os.times()
    used = after.children_user + after.children_system - cpu.children_user - cpu.children_system
    return seconds, used, len(sizes), sizes


def watch(pid: int, read: Callable[[], bytes]) -> list[int]:
    """The resident size at each CDR."""
    page = os.sysconf("SC_PAGE_SIZE")
    return [read_size(pid) * page for _ in iter(read, b"")]


def read_size(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def profile(path: Path) -> None:
    follower = Follower()
    with cProfile.Profile() as run:
        for _ in follow(path, follower):
            pass
    pstats.Stats(run).sort_stats("tottime").print_stats(22)


def follow(path: Path, follower: Follower) -> Iterator[object]:
    for record in open_trace(path):
        for call in follower.feed(record):
            yield write_cdr(call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for title, source in STREAMS.items():
            templates = read_templates(source)
            heard = sum(template.received for template in templates)
            calls = options.events // heard
            path = Path(folder) / "long.trace"
            write_trace(path, templates, calls)
            size = path.stat().st_size
            seconds, cpu, cdrs, sizes = replay(path)
            assert cdrs == calls, f"{cdrs} CDRs of {calls} calls"
            early, most = sizes[len(sizes) // 10], max(sizes)
            events = calls * heard
            print(f"{title}: {events:,} of {calls:,} calls, {size / 1e6:.0f} MB")
            print(f"  {events / seconds:>10,.0f} events/s, in {seconds:.1f} s")
            print(f"  {events / cpu:>10,.0f} events a second of CPU, of which it got {cpu:.1f}")
            print(f"  {early / 1e6:.0f} MB after a tenth, {most / 1e6:.0f} MB at most")
            if options.profile:
                profile(path)
            path.unlink()


if __name__ == "__main__":
    main()
