"""The composition: it starts, tells when it is ready, stops, and fails loudly."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialer.app import Product
from dialer.errors import StoreUnavailable
from dialer.settings import load_settings


def make_product(folder: Path, **settings: Any) -> Product:
    values = {"database_url": f"sqlite+aiosqlite:///{folder}/d.db", "http_port": 0}
    return Product(load_settings(env_file=None, **(values | settings)))


async def test_a_product_starts_serves_and_stops(tmp_path: Path) -> None:
    product = make_product(tmp_path)
    await product.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{product.http_port}") as http:
        assert (await http.get("/readyz")).status_code == 200
    states = [(product.stopping, product.ready.is_set())]
    await product.stop(0.0)
    states.append((product.stopping, product.ready.is_set()))
    assert states == [(False, True), (True, False)]


async def test_a_database_that_takes_no_writes_makes_it_not_ready(tmp_path: Path) -> None:
    product = make_product(tmp_path)
    await product.start()
    with closing(sqlite3.connect(tmp_path / "d.db", isolation_level=None)) as other:
        await product.store._writer.run(  # type: ignore[attr-defined]
            lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        )
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await product.store.put_runtime({"live": 1}, 0.0)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{product.http_port}") as http:
            answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["details"]) == (503, "store")
        await product.stop(0.0)


async def test_what_keeps_it_from_starting_is_raised(tmp_path: Path) -> None:
    (tmp_path / "d.db").write_text("this is no database" * 100)
    with pytest.raises(Exception, match=r"database|migrat"):
        await make_product(tmp_path).start()


async def test_a_part_that_fails_ends_the_whole(tmp_path: Path) -> None:
    product = make_product(tmp_path)
    await product.start()
    product.engine.worker.break_down(RuntimeError("a bug of ours"))
    running = product._running
    assert running is not None
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(running, 10)
    assert caught.group_contains(RuntimeError, match="a bug of ours")
    with sqlite3.connect(tmp_path / "d.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    product = make_product(tmp_path)
    await product.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", product.http_port)
    body = b'{"name": "late"}'
    head = "POST /calling/api/clients/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
    await writer.drain()
    stopping = asyncio.ensure_future(product.stop(0.0))
    while product.ready.is_set():  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0)
    writer.write(body[5:])
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
        await stopping
