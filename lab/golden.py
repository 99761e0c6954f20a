"""Records the golden traces: what a real Asterisk says of every outcome, and the CDRs that each
must give, into tests/traces.

Run from the project's folder as root, once `make lab-up` has made the lab's root folder:
`python -m lab.golden [NAME ...]`. It starts a PBX and a carrier of its own beside the lab, so that
no call of anybody else is in a trace.

`NAME.trace` is one AMI session of the user `dialer` from its login on (`restart_*`: the sessions
before and after); `NAME.expect.json` the CDRs, as `dialer replay --expect` reads them.
`bench/unfiltered.trace` is one call with all of Asterisk's events, for `bench/replay_speed.py`.
"""

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from ami.trace import Direction, TraceWriter
from chaos.outages.asterisk import SECRET, USER, Exchange, find_root, run_exchange
from lab.golden_calls import LOCAL, ORDERS, Order, dials, is_ringing
from lab.golden_truth import expect_cdr, expect_lost, name_expectations
from lab.scenarios import settle
from tests.lab.carrier_log import CarrierCall, read_calls
from tests.lab.raw_ami import RawAmi

TRACES: Final = Path(__file__).parent.parent / "tests" / "traces"
BENCH: Final = TRACES.parent.parent / "bench"
UNFILTERED: Final = "unfiltered"
"""The trace in `bench/` with all events of one call."""

PATIENCE: Final = 10.0

Expected = list[dict[str, Any]]


class Recording:
    """One trace file being written, and the sessions whose traffic goes into it."""

    def __init__(self, name: str, exchange: Exchange, folder: Path = TRACES) -> None:
        self.path = folder / f"{name}.trace"
        self.path.unlink(missing_ok=True)
        about = {"server": "pbx", "recorder": "lab.golden"}
        self._writer = TraceWriter(self.path, about, time.time())
        self._exchange = exchange
        self.begun = time.time()

    def _take(self, received: bool, data: bytes) -> None:
        direction = Direction.RECEIVED if received else Direction.SENT
        self._writer.write(time.time(), direction, data)

    @asynccontextmanager
    async def session(self, user: str = USER) -> AsyncIterator[RawAmi]:
        """Logged in; what is said from now on is recorded."""
        self._writer.note(time.time(), {"link": "up"})
        pbx = self._exchange
        async with await RawAmi.connect(pbx.host, pbx.port, self._take) as ami:
            assert (await ami.login(user, SECRET))["Response"] == "Success"
            ami.forget()
            yield ami
        self._writer.note(time.time(), {"link": "down", "why": "closed"})

    def carrier_calls(self) -> list[CarrierCall]:
        log = self._exchange.carrier.run_folder / "log" / "calls.log"
        return read_calls(log, self.begun)

    async def settled_carrier(self) -> list[CarrierCall]:
        """The carrier's calls of this trace, once it has noted the end of each."""
        async with asyncio.timeout(PATIENCE):
            calls = self.carrier_calls()
            while any(call.ended_at is None for call in calls):
                calls = await asyncio.to_thread(self.carrier_calls)
        return calls

    def close(self) -> None:
        self._writer.close()

    def finish(self, expected: Expected) -> None:
        self.close()
        text = json.dumps(expected, ensure_ascii=False, indent=1)
        name_expectations(self.path).write_text(text + "\n", "utf-8")


async def record_call(order: Order, exchange: Exchange) -> None:
    """One call, from its order to its end."""
    recording = Recording(order.name, exchange)
    async with recording.session() as ami:
        ami.send("Originate", order.headers())
        if order.course is not None:
            await order.course(ami, order)
        await settle(ami)
    recording.finish([expect_cdr(order, await recording.settled_carrier())])


async def record_unrelated(exchange: Exchange) -> None:
    """Three calls at once, and an Originate whose id is that of a live one."""
    name = "together"
    recording = Recording(name, exchange)
    orders = [Order(f"{name}-{ending}", f"55040{ending}") for ending in ("00", "09", "11")]
    async with recording.session() as ami:
        for order in orders:
            ami.send("Originate", order.headers())
        await ami.first(is_ringing(orders[0]))
        repeated = [
            (key, "repeated-action" if key == "ActionID" else value)
            for key, value in orders[0].headers()
        ]
        ami.send("Originate", repeated)
        await settle(ami)
    carrier = await recording.settled_carrier()
    recording.finish([expect_cdr(order, carrier) for order in orders])


async def record_restart(
    name: str, exchange: Exchange, end: Callable[[Exchange], Awaitable[None]], *, told: bool
) -> None:
    """Asterisk ends while one call talks and one rings, and is there again."""
    recording = Recording(name, exchange)
    talking = Order(f"{name}-talks", "5505007")
    ringing = Order(f"{name}-rings", "5505002")
    async with recording.session() as ami:
        ami.send("Originate", talking.headers())
        ami.send("Originate", ringing.headers())
        await ami.first(is_ringing(ringing))
        await ami.first(lambda m: m.event == "OriginateResponse")
        await end(exchange)
        await ami.until(lambda it: it.closed)
    await exchange.pbx.ended()
    carrier = recording.carrier_calls()
    await asyncio.sleep(1.5)  # FullyBooted counts its uptime in whole seconds
    await exchange.pbx.start()
    async with recording.session() as ami:
        await ami.ask("CoreShowChannels", {"ActionID": f"{name}-list"})
    recording.finish([expect_lost(order, carrier, told=told) for order in (talking, ringing)])


async def record_everything(exchange: Exchange) -> None:
    """A call as a user without event filters hears it: what a replay has to pass over."""
    recording = Recording(UNFILTERED, exchange, BENCH)
    async with recording.session("unfiltered") as ami:
        ami.send("Originate", dials(UNFILTERED, "5501007", "5502000", channel=LOCAL).headers())
        await settle(ami)
    recording.close()


async def kill(exchange: Exchange) -> None:
    exchange.pbx.send(signal.SIGKILL)


async def stop(exchange: Exchange) -> None:
    await exchange.pbx.order("core stop now")


@contextmanager
def open_folder() -> Iterator[Path]:
    """For the run: Asterisk, which is not root, gets in."""
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


async def main(wanted: list[str]) -> None:
    root = find_root()
    if not isinstance(root, Path):
        sys.exit(root)
    TRACES.mkdir(exist_ok=True)
    with open_folder() as folder:
        async with run_exchange(root, folder) as exchange:
            runs: dict[str, Callable[[], Awaitable[None]]] = {
                order.name: lambda order=order: record_call(order, exchange)  # type: ignore[misc]
                for order in ORDERS
            }
            runs["together"] = lambda: record_unrelated(exchange)
            runs["restart_killed"] = lambda: record_restart(
                "restart_killed", exchange, kill, told=False
            )
            runs["restart_stopped"] = lambda: record_restart(
                "restart_stopped", exchange, stop, told=True
            )
            runs[UNFILTERED] = lambda: record_everything(exchange)
            for name in wanted or runs:
                await runs[name]()
                print(name, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
