"""The engine's links: one for each server, renewed when its address changes, gone when removed."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ami.simulator import Simulator, SimulatorConfig
from dialer.app import Product
from dialer.engine import HEARTBEAT
from dialer.fitness import Patience
from dialer.ownership import LOST
from dialer.settings import load_settings
from dialer.store.contract import Server, StoredKey
from tests import store_records
from tests.patience import PATIENCE
from tests.unit.dialer.builders import make_item

PAYLOAD = '{"action": {"Action": "Originate", "Channel": "PJSIP/100008@carrier"}}'


class Site:
    """A product without calls, over one simulated Asterisk."""

    def __init__(self, product: Product, simulator: Simulator) -> None:
        self.product = product
        self.simulator = simulator

    @property
    def links(self) -> dict[str, str]:
        return self.product.engine.links

    async def add(self, code: str = "pbx1", **fields: Any) -> None:
        values: dict[str, Any] = {"port": self.simulator.port, "secret_env": "SITE_SECRET"}
        values |= fields
        server = Server(0, code, "127.0.0.1", username="dialer", **values)
        await self.product.store.add_server(server, time.time())
        self.product.signals.clients_changed()

    async def change(self, **changes: Any) -> None:
        await self.product.store.change_server("pbx1", changes, time.time())
        self.product.signals.clients_changed()

    async def until(self, wanted: dict[str, str]) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.links != wanted:  # noqa: ASYNC110 (links tell only the engine)
                await asyncio.sleep(0)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("SITE_SECRET", "dialer-lab")
    simulator = Simulator(SimulatorConfig(login_delay=0.0))
    await simulator.start()
    url = f"sqlite+aiosqlite:///{tmp_path}/d.db"
    product = Product(load_settings(env_file=None, database_url=url, http_port=0))
    await product.start()
    yield Site(product, simulator)
    await product.stop(0.0)
    await simulator.stop()


async def test_a_server_that_is_added_is_connected_to(site: Site) -> None:
    await site.add()
    await site.until({"pbx1": "up"})
    assert site.simulator.counters.sessions == 1


async def test_a_server_that_is_removed_is_left(site: Site) -> None:
    await site.add()
    await site.until({"pbx1": "up"})
    await site.change(removed=True)
    await site.until({})


async def test_another_address_is_another_link(site: Site) -> None:
    second = Simulator()
    await second.start()
    await site.add()
    await site.until({"pbx1": "up"})
    await site.change(port=second.port)
    async with asyncio.timeout(PATIENCE):
        while second.counters.sessions < 1:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await site.until({"pbx1": "up"})
    await second.stop()


async def test_a_missing_secret_is_named_and_holds_up_nothing(site: Site) -> None:
    await site.add(secret_env="NOT_SET_ANYWHERE")
    async with asyncio.timeout(PATIENCE):
        while "pbx1" not in site.links:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert "NOT_SET_ANYWHERE" in site.links["pbx1"]
    await site.change(secret_env="SITE_SECRET")
    await site.until({"pbx1": "up"})


async def test_a_wrong_password_is_told_plainly(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_SECRET", "nobody-knows")
    await site.add(secret_env="WRONG_SECRET")
    await site.until({"pbx1": "refused"})


async def test_the_state_is_published_for_operators(site: Site) -> None:
    await site.add()
    await site.until({"pbx1": "up"})
    async with asyncio.timeout(PATIENCE):
        while True:
            note = (await site.product.store.runtime()).get("run/1")
            if note is not None and note.value["links"] == {"pbx1": "up"}:
                break


async def test_that_it_starts_no_more_calls_is_published(site: Site) -> None:
    for stopping in (False, True):
        async with asyncio.timeout(PATIENCE):
            while True:
                note = (await site.product.store.runtime()).get("run/1")
                if note is not None and note.value["stopping"] is stopping:
                    break
        await site.product.engine.drain(0.0)


async def test_the_farewell_of_a_replaced_link_does_not_take_the_server_down(site: Site) -> None:
    await site.add()
    await site.until({"pbx1": "up"})
    engine = site.product.engine
    (old,) = engine._links._links.values()
    second = Simulator()
    await second.start()
    await site.change(port=second.port)
    async with asyncio.timeout(PATIENCE):
        while second.counters.sessions < 1 or site.links != {"pbx1": "up"}:  # noqa: ASYNC110
            await asyncio.sleep(0)
    engine._links._on_change(old, False)
    assert engine.planner._servers[old.server.id].up
    await second.stop()


async def test_a_secret_file_that_is_no_text_is_one_sentence(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "secret.bin"
    path.write_bytes(b"\xff\xfe\x00")
    await site.add(secret_env=None, secret_file=str(path))
    async with asyncio.timeout(PATIENCE):
        while "pbx1" not in site.links:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert "cannot be read" in site.links["pbx1"]


async def test_a_server_that_another_worker_owns_is_left_alone_and_said(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await site.add()
    await site.until({"pbx1": "up"})
    assert site.product.engine.ownership._parts.fences == {1: 1}
    await site.product.store.own([1])  # what another worker would do
    item = store_records.item(server_id=1, payload_json=PAYLOAD)
    client = replace(store_records.CLIENT, max_cps=None)
    await site.product.store.add_client(client, StoredKey("l", "d"), time.time())
    added = await site.product.store.insert_batch(store_records.batch(item))
    site.product.signals.clients_changed()
    site.product.signals.items_added(added.queue_id)
    await site.until({"pbx1": LOST})
    assert [record.levelname for record in caplog.records if "owns" in record.message] == [
        "CRITICAL"
    ]
    assert site.simulator.counters.originates == 0
    await site.change(max_channels=5)  # a change does not bring it back
    assert site.links == {"pbx1": LOST}
    assert (await site.product.store.queue(added.queue_id, None)).pending_count == 1


async def test_a_lost_link_shows_in_the_breaker_and_heals_with_it(site: Site) -> None:
    await site.add()
    await site.until({"pbx1": "up"})
    assert site.product.engine.breakers == {}
    await site.simulator.stop()
    async with asyncio.timeout(PATIENCE):
        while not site.product.engine.breakers:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert site.product.engine.breakers == {"pbx1": "open: the link is lost"}
    await site.simulator.start(port=site.simulator.port)
    await site.until({"pbx1": "up"})
    assert site.product.engine.breakers == {}


async def test_how_the_calls_of_a_minute_ended_is_logged_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    engine, now = site.product.engine, time.time() + 600
    attempt = store_records.reservation(make_item())
    cdr = store_records.cdr(attempt, "failed", error_message="No route to destination")
    caplog.set_level(logging.INFO, "dialer.engine")
    engine._reporter.ends.note(cdr, now - 60)
    for _ in range(2):
        engine._tell_ends(now)
    told = [record for record in caplog.records if record.msg == "calls ended within a minute"]
    assert [(record.dispositions, record.reasons) for record in told] == [  # type: ignore[attr-defined]
        ({"failed": 1}, [["failed", "No route to destination", 1]])
    ]
    async with asyncio.timeout(PATIENCE):  # it is for `dialer status`, too
        while True:
            note = (await site.product.store.runtime()).get("run/1")
            if note is not None and "dispositions" in note.value["ends"]:
                break


def test_one_word_that_is_lost_is_no_lost_database() -> None:
    assert Patience().database > 2 * HEARTBEAT
