"""The composition: it starts, tells when it is ready, stops, and fails loudly."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialer.app import Product
from dialer.backends import Role
from dialer.errors import StoreUnavailable
from dialer.settings import load_settings
from dialer.store.contract import StoredKey
from tests import store_records as make
from tests.patience import PATIENCE


def make_product(folder: Path, role: Role = Role.RUN, **settings: Any) -> Product:
    values = {"database_url": f"sqlite+aiosqlite:///{folder}/d.db", "http_port": 0}
    return Product(load_settings(env_file=None, **(values | settings)), role=role)


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
        await asyncio.wait_for(running, PATIENCE)
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
    async with asyncio.timeout(PATIENCE):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
        await stopping


@pytest.mark.parametrize(
    ("role", "parts"),
    [
        (Role.API, {"store": True}),
        (Role.WORKER, {"store": True, "worker": True}),
        (Role.DELIVER, {"store": True}),
    ],
)
async def test_a_part_alone_is_ready_when_its_own_is(
    role: Role, parts: dict[str, bool], tmp_path: Path
) -> None:
    product = make_product(tmp_path, role, health_port=0)
    await product.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{product.http_port}") as http:
        assert (await http.get("/readyz")).json()["data"] == parts
        served = (await http.get("/calling/api/clients/test-connection/")).status_code
    assert served == (401 if role.serves else 404)
    assert product.store.is_claimed() is role.dials
    await product.stop(0.0)


@pytest.mark.parametrize("role", [Role.WORKER, Role.DELIVER])
async def test_a_part_without_a_port_for_its_health_listens_on_nothing(
    role: Role, tmp_path: Path
) -> None:
    product = make_product(tmp_path, role)
    await product.start()
    assert product.http_port == 0
    await product.stop(0.0)


async def test_an_api_alone_tells_its_clients_of_what_they_end(tmp_path: Path) -> None:
    """Without an engine in its process; what it stores is delivered by others."""
    product = make_product(tmp_path, Role.API, superuser_api_key="superuser")
    await product.start()
    await product.store.add_server(make.SERVER, make.NOW)
    client = await product.store.add_client(make.CLIENT, StoredKey("l", "d"), make.NOW)
    await product.store.insert_batch(make.batch(make.item(), client_id=client.id))
    url = f"http://127.0.0.1:{product.http_port}/calling/api/queues/flushqueue/"
    headers = {"Authorization": "Bearer superuser"}
    async with httpx.AsyncClient(headers=headers) as http:
        answer = await http.get(url, params={"accountcode": "acme"})
    assert answer.status_code == 200, answer.text
    deliveries = (await product.store.totals()).deliveries
    await product.stop(0.0)
    assert deliveries == {"callback/pending": 1}
