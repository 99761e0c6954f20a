"""How long a freed channel stands idle: from its Hangup to the next Originate, on the wire.

    .venv/bin/python -m bench.freed_slot [--lab] [--calls 3000] [--channels 30]

A tap between us and the AMI takes both times, while work waits and every allowed channel is in use.
First a bare asyncio script, which writes nothing down, then the dialer (commit included), on the
same server in the same run. `--lab`: the real Asterisk (make lab-up), else a simulated one.
"""

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.ami_tap import Tap, run_tap
from bench.sink_process import run_sinks
from bench.worker_rate import measure, run_simulator
from tests.lab.running_lab import find_lab

ORIGINATE = (
    "Action: Originate\r\nActionID: {id}\r\nChannelId: {id}\r\n"
    "Channel: PJSIP/7{n:07d}08@carrier\r\nApplication: Wait\r\nData: 30\r\n"
    "Timeout: 30000\r\nAsync: true\r\n\r\n"
)
LOGIN = "Action: Login\r\nActionID: 1\r\nUsername: dialer\r\nSecret: dialer-lab\r\n\r\n"
PATIENCE = 30.0


class BareScript(asyncio.Protocol):
    """Keeps `channels` calls up until `calls` were made; remembers nothing else."""

    def __init__(self, calls: int, channels: int) -> None:
        self._left = calls
        self._channels = channels
        self._live: set[str] = set()
        self._rest = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(LOGIN.encode())

    def data_received(self, data: bytes) -> None:
        *messages, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for message in messages:
            if message.startswith(b"Event: FullyBooted"):
                for _ in range(self._channels):
                    self._originate()
            elif message.startswith(b"Event: Hangup\r"):
                fields = dict(line.split(": ", 1) for line in message.decode().split("\r\n"))
                self._free(fields["Uniqueid"])

    def _free(self, name: str) -> None:
        if name in self._live:
            self._live.discard(name)
            self._originate()
            if not self._live and not self.done.done():
                self.done.set_result(None)

    def _originate(self) -> None:
        if self._left:
            self._left -= 1
            name = f"bare-{id(self):x}-{self._left:07d}"
            self._live.add(name)
            self._transport.write(ORIGINATE.format(id=name, n=self._left).encode())


async def dial_bare(tap: Tap, calls: int, channels: int) -> None:
    make = lambda: BareScript(calls, channels)  # noqa: E731
    transport, script = await asyncio.get_running_loop().create_connection(
        make, "127.0.0.1", tap.port
    )
    async with asyncio.timeout(calls / channels + PATIENCE):
        await script.done
    transport.close()


def report(name: str, idle: list[float]) -> tuple[float, float]:
    p50, p99 = (1000 * idle[int(len(idle) * share)] for share in (0.5, 0.99))
    print(
        f"{name:<8} {len(idle):6} freed channels, idle p50 {p50:.2f} ms, p99 {p99:.2f} ms, "
        f"at most {1000 * idle[-1]:.1f} ms"
    )
    return p50, p99


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--channels", type=int, default=30)
    parser.add_argument("--lab", action="store_true", help="the lab's Asterisk")
    options = parser.parse_args()
    options.cps, options.watch = None, False
    lab = find_lab() if options.lab else None
    if isinstance(lab, str):
        sys.exit(lab)
    with ExitStack() as stack:
        sinks = stack.enter_context(run_sinks())
        if lab is None:
            port, pipe = stack.enter_context(run_simulator(1.0))
            stack.callback(pipe.send, "end")
        else:
            port = lab.pbx1.port
        tap = stack.enter_context(run_tap(port))
        asyncio.run(dial_bare(tap, options.calls, options.channels))
        bare = report("bare", tap.collect())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        elapsed, spent, _ = asyncio.run(measure(tap.port, sinks, options, Path(folder)))
        ours = report("dialer", tap.collect())
    print(
        f"{options.calls / elapsed:.0f} calls/s, dialer CPU {1000 * spent / options.calls:.3f} ms "
        f"a call; times the bare script: p50 {ours[0] / bare[0]:.1f}, p99 {ours[1] / bare[1]:.1f}"
    )
    sys.exit(0 if ours[0] <= 1.0 and ours[1] <= 5.0 else 1)


if __name__ == "__main__":
    main()
