"""The sinks of a campaign behind gates that misbehave on demand: a receiver in trouble."""

import asyncio
import struct
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from socket import SO_LINGER, SOL_SOCKET
from typing import Final

from chaos.far_ends import describe_sinks
from chaos.witness_process import Pipe, answer
from dialer.sinks import CallbackSink, SgapiSink


class Mood(StrEnum):
    """What a gate does with connections."""

    WELL = "well"
    REFUSING = "refusing"  # nobody listens
    HANGING = "hanging"  # what comes is read, nothing is answered
    RESETTING = "resetting"  # the connection is reset when a request came
    FAILING = "failing"  # HTTP 500
    LOSING = "losing"  # the sink takes it, its answer is lost


FAILURE: Final = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntrouble"
)
PIECE: Final = 64 * 1024


class Gate:
    """A TCP port in front of a sink. What is open when its mood changes is cut."""

    def __init__(self, port: int) -> None:
        self.mood = Mood.WELL
        self.seen = 0  # connections
        self._sink = port
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def turn(self, mood: Mood) -> None:
        self.mood = mood
        await self.stop()
        if mood is not Mood.REFUSING:
            await self.start()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task, writer in tuple(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.seen += 1
        self._open[task] = writer
        try:
            await self._behave(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the other side left, or the gate is turned: asyncio would print either
        finally:
            del self._open[task]
            writer.transport.abort()

    async def _behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mood in (Mood.WELL, Mood.LOSING):
            await self._pass_on(reader, writer)
            return
        while await reader.read(PIECE):
            if self.mood is Mood.RESETTING:
                # Closing what lingers for no time sends RST (socket(7)).
                connection = writer.get_extra_info("socket")
                connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                return
            if self.mood is Mood.FAILING:
                writer.write(FAILURE)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
                return

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_sink, to_sink = await asyncio.open_connection("127.0.0.1", self._sink)
        try:
            there = asyncio.ensure_future(_copy(reader, to_sink))
            back = asyncio.ensure_future(
                _copy(from_sink, writer) if self.mood is Mood.WELL else from_sink.read(1)
            )
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            for copying in (there, back):
                copying.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            to_sink.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()


async def serve_bad_sinks(pipe: Pipe) -> None:
    """Says and answers as `chaos.far_ends.serve_sinks`; further: the name of each `Mood`, which
    both gates take on, and `seen`, how many connections there were."""
    async with CallbackSink() as callbacks, SgapiSink() as sgapi:
        gates = [Gate(int(sink.origin.rpartition(":")[2])) for sink in (callbacks, sgapi)]
        for gate in gates:
            await gate.start()
        loop = asyncio.get_running_loop()
        turning: set[asyncio.Task[None]] = set()

        def turn(mood: Mood) -> None:
            for gate in gates:
                task = loop.create_task(gate.turn(mood))
                turning.add(task)
                task.add_done_callback(turning.discard)

        answers: dict[str, Callable[[], object]] = {
            **describe_sinks(callbacks, sgapi),
            **{mood.value: partial(turn, mood) for mood in Mood},
            "seen": lambda: sum(gate.seen for gate in gates),
        }
        await answer(pipe, tuple(gate.origin for gate in gates), answers)
        for gate in gates:
            await gate.stop()
