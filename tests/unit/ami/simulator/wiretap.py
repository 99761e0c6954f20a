"""A bare AMI connection to a simulator under test: messages as lists of headers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ami.simulator import AmiUser, Simulator, SimulatorConfig
from ami.wire import Decoder, Message
from tests.patience import PATIENCE

FAST = SimulatorConfig(scale=0.01, login_delay=0.0, call_ids=False)  # as in the captures


class Tap:
    """Reads everything; waits for what is asked for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.messages: list[Message] = []
        self.received = b""
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()

    def send(self, action: str, **headers: str) -> None:
        lines = [f"Action: {action}", *(f"{name}: {value}" for name, value in headers.items())]
        self.send_raw("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")

    def send_raw(self, data: bytes) -> None:
        self._writer.write(data)

    async def until(self, met: Callable[[], bool]) -> None:
        """Reads until `met()`. Raises TimeoutError, and EOFError at the end of the stream."""
        async with asyncio.timeout(PATIENCE):
            while not met():
                data = await self._reader.read(65536)
                if not data:
                    raise EOFError
                self.received += data
                self.messages += self._decoder.feed(data)

    async def first(self, met: Callable[[Message], bool]) -> Message:
        await self.until(lambda: any(map(met, self.messages)))
        return next(filter(met, self.messages))

    async def ask(self, action: str, **headers: str) -> Message:
        self.send(action, ActionID="ask", **headers)
        seen = len(self.messages)
        await self.until(lambda: any(m.get("Response") for m in self.messages[seen:]))
        return next(m for m in self.messages[seen:] if m.get("Response"))

    async def login(self, user: AmiUser | None = None) -> None:
        user = user or AmiUser()
        response = await self.ask("Login", Username=user.name, Secret=user.secret)
        assert response.name == "Success"

    def originate(self, channel_id: str, channel: str = "PJSIP/9000@carrier", **more: str) -> None:
        headers = {"Application": "Wait", "Data": "60", "Async": "true"} | more
        self.send(
            "Originate",
            ActionID=f"{channel_id}-action",
            ChannelId=channel_id,
            Channel=channel,
            **headers,
        )

    async def event(self, name: str, uniqueid: str) -> Message:
        """The first event of that name about that channel."""
        return await self.first(
            lambda m: m.name == name and uniqueid in (m.get("Uniqueid"), m.get("DestUniqueid"))
        )

    async def ended(self) -> None:
        """Reads to the end of the stream."""
        try:
            await self.until(lambda: False)
        except (EOFError, ConnectionError):
            return

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


async def connect(simulator: Simulator) -> Tap:
    return Tap(*await asyncio.open_connection("127.0.0.1", simulator.port))


@asynccontextmanager
async def simulated(config: SimulatorConfig = FAST) -> AsyncIterator[tuple[Simulator, Tap]]:
    """A simulator and a connection to it, not logged in."""
    simulator = Simulator(config)
    await simulator.start()
    tap = await connect(simulator)
    try:
        yield simulator, tap
    finally:
        await tap.close()
        await simulator.stop()


@asynccontextmanager
async def logged_in(config: SimulatorConfig = FAST) -> AsyncIterator[tuple[Simulator, Tap]]:
    async with simulated(config) as (simulator, tap):
        await tap.login()
        yield simulator, tap
