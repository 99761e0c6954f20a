"""Serving on a socket."""

import asyncio
import json
import signal
import socket

import httpx
import pytest
from fastapi import FastAPI

from dialer.api.server import open_listener, serve
from tests.patience import PATIENCE
from tests.unit.dialer.api.conftest import Api


async def _start(app: FastAPI, stop: asyncio.Event) -> tuple[asyncio.Task[None], int]:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, ready.set_result, stop))
    return task, await asyncio.wait_for(ready, PATIENCE)


async def test_serves_until_told_to_stop_and_leaves_signals_alone(api: Api) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    stop = asyncio.Event()
    task, port = await _start(api.app, stop)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        answer = await http.get("/healthz")
        assert answer.status_code == 200
        assert "server" not in answer.headers
        big = await http.post(
            "/calling/api/clients/",
            content=b"x" * (10**6 + 1),
            headers={"Authorization": f"Bearer {api.keys['root']}"},
        )
        assert big.status_code == 413
    stop.set()
    await asyncio.wait_for(task, PATIENCE)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"FOO /healthz HTTP/1.1\r\n\r\n",
        b"POST /calling/api/clients/ HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_what_is_no_http_is_answered_in_the_same_format(
    api: Api, request_line: bytes
) -> None:
    stop = asyncio.Event()
    task, port = await _start(api.app, stop)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_line)
    head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE)).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body) == {"message": "Not a valid HTTP request", "status": "error"}
    stop.set()
    await asyncio.wait_for(task, PATIENCE)


async def test_an_address_in_use_is_an_os_error(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await serve(api.app, "127.0.0.1", port, lambda _: None, asyncio.Event())


async def test_cancelling_frees_the_address(api: Api) -> None:
    task, port = await _start(api.app, asyncio.Event())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, PATIENCE)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as near, listener.accept()[0] as far:
            assert near.getpeername() == address
            assert far.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
