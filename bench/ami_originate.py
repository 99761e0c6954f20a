"""CPU of one Originate on our side: from the typed action to its answer, over a real socket.

    python bench/ami_originate.py [CALLS]

The answering end is a process of its own, so that only ours is counted. Beside it, in the same run,
panoramisk's own send_action to the same server.
"""

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

from panoramisk import Manager

from ami import Address, AmiClient, LinkChange, LinkState, Originate

BURST = 50


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"Asterisk Call Manager/11.0.0\r\n")
    while True:
        try:
            text = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        action_id = next(line for line in text.split(b"\r\n") if line.startswith(b"ActionID"))
        writer.write(b"Response: Success\r\n" + action_id + b"\r\nMessage: Queued\r\n\r\n")
        if text.startswith(b"Action: Login"):
            writer.write(b"Event: FullyBooted\r\n\r\n")


def run_server(pipe: Connection) -> None:
    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def measure(name: str, calls: int, originate: Callable[[int], Awaitable[object]]) -> float:
    begun = time.process_time()
    for first in range(0, calls, BURST):
        await asyncio.gather(*(originate(first + number) for number in range(BURST)))
    cost = (time.process_time() - begun) / calls * 1e6
    print(f"  {name:<24}{cost:>8.1f} µs of CPU an Originate")
    return cost


async def run_ours(port: int, calls: int) -> None:
    up = asyncio.Event()

    def note(change: LinkChange) -> None:
        if change.state is LinkState.UP:
            up.set()

    address = Address("127.0.0.1", port, "dialer", "bench")
    client = AmiClient(address, on_event=lambda _: None, on_link=note, wanted=frozenset())
    running = asyncio.create_task(client.run())
    await up.wait()

    def originate(number: int) -> Awaitable[object]:
        name = f"0198f0a0-7b0b-7000-8000-{number:012d}"
        return client.originate(
            Originate(
                action_id=name,
                channel_id=name,
                channel=f"PJSIP/{number:010d}@carrier",
                timeout_ms=30_000,
                application="Wait",
                data="1",
                caller_id='"Zoë" <5551234>',
                account="acme",
                variables=("DIALER_ID=12345", "CAMPAIGN=autumn"),
            )
        )

    await measure("ours", calls, originate)
    running.cancel()
    await asyncio.wait({running})


async def run_panoramisk(port: int, calls: int) -> None:
    manager = Manager(host="127.0.0.1", port=port, loop=asyncio.get_running_loop())
    connected = asyncio.Event()
    manager.on_connect = lambda _: connected.set()
    manager.connect()
    await connected.wait()

    def originate(number: int) -> Awaitable[object]:
        future: asyncio.Future[object] = manager.send_action(
            {
                "Action": "Originate",
                "ActionID": f"0198f0a0-7b0b-7000-8000-{number:012d}",
                "Channel": f"PJSIP/{number:010d}@carrier",
                "ChannelId": f"0198f0a0-7b0b-7000-8000-{number:012d}",
                "Timeout": 30_000,
                "Application": "Wait",
                "Data": "1",
                "CallerID": '"Zoë" <5551234>',
                "Account": "acme",
                "Variable": ["DIALER_ID=12345", "CAMPAIGN=autumn"],
                "Async": "true",
            }
        )
        return future

    await measure("panoramisk 1.4", calls, originate)
    manager.pinger.cancel()
    manager.protocol.transport.abort()


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=run_server, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    print(f"{calls} Originates, {BURST} in flight")
    asyncio.run(run_panoramisk(port, calls))
    asyncio.run(run_ours(port, calls))
    server.terminate()


if __name__ == "__main__":
    main()
