"""`dialer record`: an Asterisk server's AMI stream into a trace file."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami import AmiClient, LinkChange, LinkState, Message
from ami.trace import TraceRecorder, compress
from dialer.cli.servers import find_server
from dialer.cli.workspace import with_store
from dialer.telemetry import conceal, hide_secrets
from dialer.traces import LAST_WRITES, open_writer
from dialer.upkeep import address_of

_TOLD = {LinkState.UP: "connected", LinkState.DOWN: "no link", LinkState.REFUSED: "refused"}


@dataclass(slots=True)
class Archive:
    """What becomes of full files, on a thread of its own: they stay, or are compressed."""

    packing: bool
    files: int = 0
    _pool: ThreadPoolExecutor | None = None

    def take(self, path: Path) -> None:
        self.files += 1
        if self.packing:
            self._pool = self._pool or ThreadPoolExecutor(1)
            self._pool.submit(pack, path)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def record(
    code: Annotated[str, typer.Argument(help="The server's code.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file; it is appended to.")],
    max_mb: Annotated[
        int | None, typer.Option(min=1, help="A new file after so many MiB; the full one is kept.")
    ] = None,
    packing: Annotated[bool, typer.Option("--compress", help="Compress full files.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.0, help="End after so many seconds.")
    ] = None,
) -> None:
    """Record a server's AMI stream as a trace, until Ctrl-C or SIGTERM.

    Both directions of a session of its own, with times and without the login's secret. Runs beside
    a worker; connects again by itself. `dialer run --record` records the worker's own sessions.

    Example: dialer record pbx1 -o pbx1.trace --max-mb 100 --compress
    """
    server = with_store(lambda store: find_server(store, code))
    address = address_of(server)
    conceal(address.secret)
    archive = Archive(packing)
    writer = open_writer(output, code, time.time(), max_mb=max_mb, full=archive.take)
    recorder = TraceRecorder(writer, time.time, tell=tell, enduring=True)
    client = AmiClient(
        address, on_event=pass_over, on_link=tell_links(code), wanted=frozenset(), tap=recorder
    )
    typer.echo(f"recording {code} into {output}; Ctrl-C ends it", err=True)
    begun = time.monotonic()
    try:
        asyncio.run(run_until_signal(client, seconds))
    finally:
        written = recorder.close(LAST_WRITES)
        archive.close()
    typer.echo(describe(recorder, archive, output, time.monotonic() - begun))
    if not written:
        tell(f"{output}: the disk hangs: the end is missing")


async def run_until_signal(client: AmiClient, seconds: float | None) -> None:
    """Keep the link until SIGINT, SIGTERM or the end of the time, then log off."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = loop.create_task(client.run())
    waiting = loop.create_task(stop.wait())
    await asyncio.wait({running, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def pass_over(_: Message) -> None:
    """What comes is recorded before it is read."""


def tell_links(code: str) -> Callable[[LinkChange], None]:
    """Says on standard error when the link comes and goes, each reason once in a row."""
    last: list[str] = []

    def tell_change(change: LinkChange) -> None:
        if change.state in _TOLD:
            text = f"{code}: {_TOLD[change.state]}: {change.reason}"
            if last != [text]:
                last[:] = [text]
                tell(text)

    return tell_change


def tell(text: str) -> None:
    """Say it, where anybody still listens: a terminal that is gone ends no recording."""
    with contextlib.suppress(OSError):
        typer.echo(hide_secrets(text), err=True)


def pack(path: Path) -> None:
    """Compress a full file; where that fails it stays as it is."""
    try:
        compress(path)
    except OSError as error:
        tell(f"{path} is not compressed: {error.strerror or error}")


def describe(recorder: TraceRecorder, archive: Archive, output: Path, seconds: float) -> str:
    """What was recorded, in a sentence."""
    connections = f"{recorder.connections} connection{'s' * (recorder.connections != 1)}"
    text = (
        f"{output}: {seconds:.0f} s, {connections}, {recorder.received_bytes:,} bytes received, "
        f"{recorder.sent_bytes:,} sent"
    )
    if archive.files:
        text += f", {archive.files} full file{'s' * (archive.files != 1)} beside it"
    if recorder.lost_bytes:
        text += f"; {recorder.lost_bytes:,} bytes are missing"
    return text
