"""Serving the application: uvicorn, told to leave signals and access logs alone."""

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dialer.api.answers import ApiError, answer_error

GRACE: Final = 5  # seconds that requests get to end after `stop`
_BACKLOG: Final = 512
_IDLE: Final = 65  # seconds a connection may wait for its next request; above usual proxies' 60


_NO_HTTP: Final = bytes(answer_error(ApiError(400, "Not a valid HTTP request")).body)
_NO_HTTP_HEAD: Final = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"content-type: application/json\r\n"
    b"content-length: %d\r\n"
    b"connection: close\r\n\r\n" % len(_NO_HTTP)
)


class _Protocol(HttpToolsProtocol):
    """Answers what cannot be read as HTTP in the documented format too."""

    def send_400_response(self, msg: str) -> None:
        self.transport.write(_NO_HTTP_HEAD + _NO_HTTP)
        self.transport.close()


class _Server(uvicorn.Server):
    """Tells when it listens; installs no signal handlers, for the process has its own."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


async def serve(
    app: FastAPI, host: str, port: int, on_ready: Callable[[int], None], stop: asyncio.Event
) -> None:
    """Serve until `stop` is set, then let running requests end. `on_ready` gets the port listened
    on. Raises OSError when the address cannot be had."""
    listener = open_listener(host, port)
    bound: int = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config, lambda: on_ready(bound))
    stopper = asyncio.create_task(_stop_when(server, stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        stopper.cancel()
        listener.close()


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Inherited by every connection. asyncio sets it only on sockets that name their protocol, which
    # accepted ones do not; without it an answer's body waits 40 ms for the head's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _stop_when(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
