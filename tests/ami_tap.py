"""A proxy in front of an AMI that keeps every byte of the dialer's, and reads it strictly."""

import asyncio
import re
from collections.abc import Callable
from typing import Final, Self

from ami.actions import (
    CoreShowChannels,
    CoreStatus,
    Login,
    Logoff,
    Ping,
    serialize,
)

_ACTION_ID: Final = re.compile(rb"ActionID: ([0-9a-f]{32}-[0-9]+)\r\n")
_END: Final = b"\r\n\r\n"


class AmiTap:
    """Listens on 127.0.0.1:`port` while open. An async context manager."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._sent: list[bytearray] = []  # of each connection
        self._pumps: set[asyncio.Task[None]] = set()
        self._watchers: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        self._server.close()
        for pump in tuple(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    @property
    def sent(self) -> bytes:
        """Everything that was written to the AMI, connection after connection."""
        return b"".join(map(bytes, self._sent))

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the dialer has written something."""
        self._watchers.append(changed)

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", self._target)
        kept = bytearray()
        self._sent.append(kept)
        pumps = (
            asyncio.create_task(self._pump(near, forth, kept)),
            asyncio.create_task(self._pump(far, back, bytearray())),
        )
        self._pumps.update(pumps)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for writer in (forth, back):
                writer.close()
            for pump in pumps:
                pump.cancel()
                self._pumps.discard(pump)

    async def _pump(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, kept: bytearray
    ) -> None:
        while data := await source.read(65536):
            kept += data
            to.write(data)
            for changed in self._watchers:
                changed()
            await to.drain()


def read_quiet(sent: bytes, username: str, secret: str) -> list[str]:
    """The names of the actions in `sent`, where they are nothing but what a dialer without calls
    says: each is compared byte for byte with the one that it must be. Raises AssertionError with
    the first other bytes."""
    names: list[str] = []
    rest = sent
    while rest:
        block, end, rest = rest.partition(_END)
        whole = block + end
        found = _ACTION_ID.search(whole)
        assert found is not None, whole
        action_id = found[1].decode()
        for action in (
            Login(action_id, username, secret),
            CoreStatus(action_id),
            CoreShowChannels(action_id),
            Ping(action_id),
            Logoff(action_id),
        ):
            if whole == serialize(action):
                names.append(type(action).__name__)
                break
        else:
            raise AssertionError(whole)
    return names
