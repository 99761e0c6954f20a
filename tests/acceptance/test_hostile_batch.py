"""A hostile batch over HTTP: every attack is refused by item and field, and nothing of it reaches
the AMI wire, where every byte of the dialer's is looked at."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialer.policy import DEFAULT_POLICY
from tests.acceptance.plant import SECRET_ENV, Plant
from tests.ami_tap import AmiTap, read_quiet
from tests.hostile_calls import (
    ACCOUNTS,
    ATTACKS,
    CONTROLS,
    MARKER,
    NUMBER,
    QUICK_ATTACKS,
    TRUNK,
    combine,
    harmless_item,
    harmless_quick_call,
    inject,
)
from tests.patience import PATIENCE

INSERT = "/queues/insertdataincallqueue/"
QUICK = "/queues/insertquickcall/"
SERVER = "pbx1"


class Target:
    """A plant whose dialer is tapped, and a client that may use one trunk."""

    def __init__(self, plant: Plant, tap: AmiTap, http: httpx.AsyncClient) -> None:
        self.plant, self.tap, self.http = plant, tap, http
        self._written = asyncio.Event()
        tap.watch(self._written.set)

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, list[tuple[Any, str]]]:
        """Status, and (index, field) of every error."""
        answer = await self.http.post(path, json=body)
        errors = answer.json().get("errors") or []
        return answer.status_code, [(error["index"], error["field"]) for error in errors]

    async def batch(self, items: list[Any], batch_id: int = 1, **fields: Any) -> Any:
        return await self.post(INSERT, {"batch_id": batch_id, "data": items, **fields})

    async def until_written(self, what: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while what not in self.tap.sent:
                self._written.clear()
                await self._written.wait()

    async def prove_quiet(self) -> None:
        """Nothing but the link's own words was written; then a harmless call does appear."""
        assert self.plant.simulator.counters.originates == 0
        before = self.tap.sent
        assert "Login" in read_quiet(before, "dialer", "dialer-lab")
        store = self.plant.product.store
        assert sum((await store.totals()).items.values()) == 0
        assert await self.batch([harmless_item(SERVER, "100008")], batch_id=999) == (200, [])
        await self.until_written(b"Channel: PJSIP/100008@carrier\r\n")
        await self.plant.until(lambda: len(self.plant.finals()) == 1)
        written = self.tap.sent
        read_quiet(written.partition(b"Action: Originate")[0], "dialer", "dialer-lab")
        assert written.count(b"Action: Originate\r\n") == 1
        for trace in (NUMBER.encode(), MARKER.encode(), b"SHELL", b"System", b"Command"):
            assert trace not in written
        with pytest.raises(AssertionError):  # and what looks so strictly does see it
            read_quiet(written, "dialer", "dialer-lab")


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    async with Plant(tmp_path) as plant, AmiTap(plant.simulator.port) as tap:
        key = await plant.add_client()
        store, now = plant.product.store, time.time()
        policy = replace(DEFAULT_POLICY, endpoints=frozenset({TRUNK}))
        await store.change_client("acme", {"policy": policy}, now)
        await store.change_server(SERVER, {"port": tap.port, "secret_env": SECRET_ENV}, now)
        plant.product.signals.clients_changed()
        async with plant.http(key) as http:
            made = Target(plant, tap, http)
            await made.until_written(b"Action: CoreStatus")
            yield made
        await plant.product.stop(0.0)


async def test_every_attack_of_a_batch_is_named_by_item_and_field(target: Target) -> None:
    assert len(ATTACKS) > 500
    for start in range(0, len(ATTACKS), 1000):
        attacks = ATTACKS[start : start + 1000]
        status, errors = await target.batch([attack.item(SERVER) for attack in attacks])
        assert status == 400
        assert errors == [(index, attack.field) for index, attack in enumerate(attacks)]
    await target.prove_quiet()


async def test_every_attack_alone_is_refused(target: Target) -> None:
    """One bad item among good ones would do: all or nothing."""
    for number, attack in enumerate(ATTACKS):
        calm = harmless_item(SERVER, f"{NUMBER}9")
        status, errors = await target.batch([calm, attack.item(SERVER), calm], number)
        assert (status, errors) == (400, [(1, attack.field)]), attack
    await target.prove_quiet()


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
async def test_an_item_that_is_all_attack_has_every_field_named(
    target: Target, control: str
) -> None:
    item, fields = combine(control, SERVER)
    status, errors = await target.batch([item])
    assert status == 400
    assert {field for _, field in errors} == fields
    assert {index for index, _ in errors} == {0}
    assert len(errors) == len(fields)
    await target.prove_quiet()


async def test_numbers_of_the_batch_itself_are_looked_at(target: Target) -> None:
    calm = harmless_item(SERVER, f"{NUMBER}9")
    for bad in (*map(inject, CONTROLS), "${SHELL(id)}", "9" * 300, "\u00e9" * 41, " 1"):
        status, errors = await target.batch([calm], dids=["5551000", bad])
        assert (status, errors) == (400, [(None, "dids")]), bad
    await target.prove_quiet()


async def test_every_attack_of_a_quick_call_is_named(target: Target) -> None:
    for attack in QUICK_ATTACKS:
        assert await target.post(QUICK, attack.call(SERVER)) == (400, [(None, attack.field)]), (
            attack
        )
    for name in ACCOUNTS:
        for path, calm in (
            (QUICK, harmless_quick_call(SERVER, NUMBER)),
            (INSERT, {"batch_id": 1, "data": [harmless_item(SERVER, NUMBER)]}),
        ):
            assert await target.post(path, {**calm, name: inject("\r\n")}) == (404, [])
    await target.prove_quiet()


async def test_what_became_forbidden_while_it_waited_is_not_sent(target: Target) -> None:
    """The same rules hold again before each Originate; the item ends, once, and says why."""
    plant, store = target.plant, target.plant.product.store
    await store.change_server(SERVER, {"paused": True}, time.time())
    plant.product.signals.clients_changed()
    calm = harmless_item(SERVER, f"{NUMBER}8")
    assert await target.batch([{**calm, "retry": 3}]) == (200, [])
    policy = replace(DEFAULT_POLICY, endpoints=frozenset({"endpoint2"}))
    await store.change_client("acme", {"policy": policy}, time.time())
    await store.change_server(SERVER, {"paused": False}, time.time())
    plant.product.signals.clients_changed()
    await plant.until(lambda: len(plant.finals()) == 1)
    (told,) = plant.finals()
    assert (told["disposition"], told["attempt"]) == ("failed", 1)
    assert "endpoint 'carrier' is not allowed" in told["error_message"]
    read_quiet(target.tap.sent, "dialer", "dialer-lab")
