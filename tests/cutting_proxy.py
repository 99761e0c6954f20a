"""A proxy in front of an AMI that cuts the connection after a given byte of an Originate, or of the
answer to it."""

import asyncio
from typing import Final, Self

_ORIGINATE: Final = b"Action: Originate\r\n"
_RESPONSE: Final = b"Response: "


class CuttingProxy:
    """Listens on 127.0.0.1:`port` while open. `cut_originate` and `cut_answer`: how many bytes of
    the next Originate, or of the answer to it, are passed on; then both connections are reset.
    None: all, and nothing is cut. `frozen`: nothing is passed on in either direction, and nothing
    is closed."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.cut_originate: int | None = None
        self.cut_answer: int | None = None
        self.frozen = False
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._answers = False  # an Originate was passed on, its answer comes next

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        self._server.close()
        self.cut()
        for pump in tuple(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", self._target)
        mine = {back, forth}
        self._writers |= mine
        pumps = {
            asyncio.create_task(self._pump(near, forth, forward=True)),
            asyncio.create_task(self._pump(far, back, forward=False)),
        }
        self._pumps |= pumps
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for writer in mine:
            writer.transport.abort()
        await asyncio.wait(pumps)
        self._pumps -= pumps
        self._writers -= mine

    async def _pump(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, forward: bool
    ) -> None:
        try:
            while data := await source.read(65536):
                if self.frozen:
                    continue
                passed = self._pass(data, forward=forward)
                to.write(data[:passed])
                await to.drain()
                if passed < len(data) or self._is_cut(data, passed, forward=forward):
                    return
        except ConnectionError:
            return

    def _pass(self, data: bytes, *, forward: bool) -> int:
        """How many bytes of `data` are passed on."""
        if forward:
            start = data.find(_ORIGINATE)
            if start < 0:
                return len(data)
            self._answers = True
            limit = self.cut_originate
        else:
            start = data.find(_RESPONSE) if self._answers else -1
            if start < 0:
                return len(data)
            limit = self.cut_answer
        return len(data) if limit is None else min(len(data), start + limit)

    def _is_cut(self, data: bytes, passed: int, *, forward: bool) -> bool:
        """Whether the connection ends behind the last byte of `data`, which was passed on."""
        if forward:
            return self.cut_originate is not None and _ORIGINATE in data
        return self._answers and self.cut_answer is not None and _RESPONSE in data
