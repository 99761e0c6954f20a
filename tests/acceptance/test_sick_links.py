"""Peers that flood, send garbage, answer late or not at all: noticed, and nobody else is harmed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ami import ActionRejected, ActionTimeout, LinkLost, Timing
from ami.actions import Originate
from ami.link import LinkState
from ami.simulator import Simulator, SimulatorConfig
from dialer.app import Product
from dialer.settings import load_settings
from dialer.store.contract import Server, StoredKey
from tests import store_records as make
from tests.cutting_proxy import CuttingProxy
from tests.patience import PATIENCE
from tests.unit.ami.client_rig import QUIET, rig

CALL = Originate("a-1", "call-1", "PJSIP/1@x", 30_000, application="Wait", data="1")
SLICE = 256 * 1024
"""Bytes that asyncio reads from one socket before it looks at the others."""


async def test_a_flood_of_a_million_events_holds_up_nobody() -> None:
    """Read in slices: between any two of them the event loop has a turn for everything else."""
    unwanted = b"Event: VarSet\r\nVariable: x\r\n\r\n" * 99
    block = (unwanted + b"Event: Newstate\r\nChannelState: 6\r\n\r\n") * 100
    turns = 0
    flooded = asyncio.Event()

    async def turn() -> None:
        nonlocal turns
        while not flooded.is_set():
            turns += 1
            await asyncio.sleep(0)

    async with rig() as made:
        peer = await made.up()
        turning = asyncio.create_task(turn())
        for _ in range(100):
            peer.send(block)
            await peer.writer.drain()
        answer = made.client.originate(CALL)
        action = await peer.take()
        while action["Action"] == "Ping":  # on a slow machine the flood lasts longer than its wait
            peer.answer(action)
            action = await peer.take()
        assert action["Action"] == "Originate"
        peer.answer(action)
        assert (await answer).name == "Success"
        flooded.set()
        await turning
        assert turns > 100 * len(block) / SLICE
        assert made.events.qsize() == 10_000 + 1  # FullyBooted was the first
        assert made.client.up


@pytest.mark.parametrize(
    ("garbage", "noticed"),
    [
        (b"\xff\x00\xfe" * 700_000, True),  # no line, no end
        (b"Event: " + b"x" * 1_100_000, True),  # a name without end
        (b"A" * 100 + b"\r\n", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50, False),
        (b"Event: Newstate\r\n" + b"A: " + b"y" * 900_000 + b"\r\n\r\n", False),
        (b"\r\n" * 100_000, False),
        (b"Response: Success\r\nActionID: \r\n\r\n" * 1000, False),
    ],
    ids=["no end", "huge name", "no header", "another protocol", "huge line", "blank", "nobody's"],
)
async def test_garbage_ends_the_link_or_does_nothing(garbage: bytes, noticed: bool) -> None:
    async with rig() as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        call = await peer.take("Originate")
        peer.send(garbage)
        if noticed:
            reason = (await made.state(LinkState.DOWN)).reason
            assert "more than" in reason
            with pytest.raises(LinkLost):
                await answer
            await made.up()  # and it comes back
        else:
            peer.send(b"\r\n\r\n")
            peer.answer(call)
            assert (await answer).name == "Success"
            assert made.client.up


async def test_an_answer_after_its_time_is_no_one_elses() -> None:
    """Late Success and late Error: neither is taken for the answer to the next Originate."""
    async with rig(replace(QUIET, action_timeout=0.02)) as made:
        peer = await made.server.accept()
        await peer.come_up()
        await made.state(LinkState.UP)
        late = []
        for number in range(4):
            answer = made.client.originate(replace(CALL, action_id=f"late-{number}"))
            late.append(await peer.take("Originate"))
            with pytest.raises(ActionTimeout):
                await answer
        assert made.client._session is not None
        made.client._session._action_timeout = PATIENCE
        next_ = made.client.originate(replace(CALL, action_id="next"))
        call = await peer.take("Originate")
        for number, old in enumerate(late):
            peer.answer(old) if number % 2 else peer.refuse(old, "Extension does not exist.")
        peer.refuse(call, "the next one's own answer")
        with pytest.raises(ActionRejected, match="own answer"):
            await next_
        assert made.client.up


@pytest.mark.realtime
async def test_a_peer_that_reads_and_says_nothing_is_left_within_two_ping_times() -> None:
    async with rig(Timing(ping_interval=0.4, ping_timeout=0.1, logoff_timeout=0.01)) as made:
        peer = await made.up()
        answer = made.client.originate(CALL)
        await peer.take("Originate")
        change = await made.state(LinkState.DOWN)
        assert "no answer to a ping" in change.reason
        with pytest.raises(LinkLost):
            await answer


class Pair:
    """A product with two servers, each behind a proxy, and a client with work for both."""

    def __init__(self, product: Product, proxies: dict[str, CuttingProxy]) -> None:
        self.product = product
        self.proxies = proxies

    async def load(self, server_id: int, count: int) -> int:
        items = [make.item(server_id=server_id, payload_json=PAYLOAD) for _ in range(count)]
        added = await self.product.store.insert_batch(make.batch(*items))
        self.product.signals.items_added(added.queue_id)
        return added.queue_id

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await true():  # noqa: ASYNC110 (only the database tells)
                await asyncio.sleep(0)


PAYLOAD = (
    '{"asterisk_server_code": "x", "action": {"Action": "Originate", '
    '"Channel": "PJSIP/100008@carrier", "Application": "Wait", "Data": "1"}}'
)


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setenv("PAIR_SECRET", "dialer-lab")
    monkeypatch.setattr("dialer.reconcile.CONFIRM", 0.05)
    simulators = [Simulator(SimulatorConfig(scale=0.01)) for _ in range(2)]
    for simulator in simulators:
        await simulator.start()
    url = f"sqlite+aiosqlite:///{tmp_path}/d.db"
    product = Product(load_settings(env_file=None, database_url=url, http_port=0))
    await product.start()
    proxies = {f"pbx{n}": CuttingProxy(simulators[n - 1].port) for n in (1, 2)}
    try:
        for code, proxy in proxies.items():
            await proxy.__aenter__()
            server = Server(
                0, code, "127.0.0.1", proxy.port, "dialer", secret_env="PAIR_SECRET", max_channels=4
            )
            await product.store.add_server(server, time.time())
        client = replace(make.CLIENT, allocated_channels=10, max_cps=None, callback_url=None)
        await product.store.add_client(client, StoredKey("lookup", "digest"), time.time())
        product.signals.clients_changed()
        yield Pair(product, proxies)
    finally:
        for proxy in proxies.values():
            await proxy.__aexit__()
        await product.stop(0.0)
        for simulator in simulators:
            await simulator.stop()


async def test_a_sick_server_does_not_touch_the_others_calls(pair: Pair) -> None:
    """pbx1 takes everything and says nothing from the middle of its campaign on: what it had keeps
    its slots, the client's other slots go on with pbx2, and when it is back all ends."""
    sick = await pair.load(1, 40)
    store = pair.product.store

    async def begun() -> bool:
        return (await store.queue(sick, None)).processed_count >= 5

    await pair.until(begun)
    pair.proxies["pbx1"].frozen = True
    well = await pair.load(2, 100)

    async def done() -> bool:
        return (await store.queue(well, None)).status == "completed"

    await pair.until(done)
    totals = await store.queue(well, None)
    assert totals.processed_count == 100
    links = pair.product.engine.links
    assert links["pbx2"] == "up"
    pair.proxies["pbx1"].frozen = False
    pair.proxies["pbx1"].cut()

    async def over() -> bool:
        return (await store.queue(sick, None)).status == "completed"

    await pair.until(over)
    assert len(await store.cdrs(None, 0, 1000)) >= 140
    assert await store.open_attempts() == ()
