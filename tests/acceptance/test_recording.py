"""Recorded calls on a simulated Asterisk: the operator's context, and what is told of the audio."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ami.simulator import Simulator, SimulatorConfig
from dialer.policy import Policy
from tests.acceptance.plant import Plant

FOLDER = "/var/lab/recordings/acme"


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with Plant(tmp_path) as running:
        yield running


async def call(plant: Plant, key: str, number: str, **batch: Any) -> dict[str, Any]:
    """One recorded call to its end; its callback, which agrees with what SGAPI got."""
    item = {"create_recording": True} | batch.pop("item", {})
    told = set(plant.callbacks.bodies)
    await plant.post(key, [number], batch_id=100 + len(told), item=item, **batch)
    await plant.until(lambda: plant.callbacks.bodies.keys() == plant.sgapi.cdrs.keys() > told)
    (body,) = (plant.callbacks.bodies[event] for event in plant.callbacks.bodies.keys() - told)
    cdr = plant.sgapi.cdrs[body["cdr_id"]]
    assert cdr.get("recording_url") == body["recording_url"]
    assert cdr["custom_data"]["recording_path"] == body["custom_data"]["recording_path"]
    return body


def told_of(body: dict[str, Any]) -> tuple[str, str | None, str | None]:
    return body["disposition"], body["recording_url"], body["custom_data"]["recording_path"]


async def test_a_recorded_call_tells_where_its_audio_is(plant: Plant) -> None:
    key = await plant.add_client()
    body = await call(plant, key, "100000")
    path = f"{FOLDER}/{body['cdr_id']}.wav"
    assert told_of(body) == ("answered", f"file://pbx1{path}", path)


async def test_with_a_path_a_format_a_profile_and_an_address(tmp_path: Path) -> None:
    async with Plant(tmp_path, server={"recording_url": "https://rec.example/pbx1/"}) as plant:
        key = await plant.add_client()
        policy = Policy(recording_profiles=frozenset({"bridged"}))
        await plant.product.store.change_client("acme", {"policy": policy}, time.time())
        plant.product.signals.clients_changed()
        item = {
            "recording_path": "2026/june/",
            "recording_format": "GSM",
            "mix_monitor_command": "bridged",
        }
        body = await call(plant, key, "100008", item=item)
        file = f"2026/june/{body['cdr_id']}.gsm"
        assert told_of(body) == (
            "answered",
            f"https://rec.example/pbx1/acme/{file}",
            f"{FOLDER}/{file}",
        )


@pytest.mark.parametrize(
    ("number", "disposition"), [("100001", "busy"), ("100010", "busy"), ("100003", "congestion")]
)
async def test_a_call_that_was_not_answered_has_no_recording(
    plant: Plant, number: str, disposition: str
) -> None:
    """Early media is no answer: the dialplan never ran."""
    key = await plant.add_client()
    assert told_of(await call(plant, key, number)) == (disposition, None, None)


async def test_a_recorded_dial_reaches_its_second_leg(plant: Plant) -> None:
    key = await plant.add_client()
    action = {"Application": "Dial", "Data": "PJSIP/100008@carrier,5"}
    body = await call(plant, key, "100007", action=action)
    assert body["disposition"] == "answered"
    assert body["custom_data"]["connected"] is True
    assert body["custom_data"]["leg_b"]["dial_status"] == "ANSWER"
    assert body["custom_data"]["recording_path"] == f"{FOLDER}/{body['cdr_id']}.wav"


async def test_each_attempt_has_a_file_of_its_own(plant: Plant) -> None:
    key = await plant.add_client()
    first = await call(plant, key, "100008")
    second = await call(plant, key, "100008")
    paths = {body["custom_data"]["recording_path"] for body in (first, second)}
    assert len(paths) == 2


async def test_a_call_that_is_not_to_be_recorded_never_enters_the_dialplan(plant: Plant) -> None:
    key = await plant.add_client()
    body = await call(plant, key, "100008", item={"create_recording": False})
    assert told_of(body) == ("answered", None, None)


async def test_a_server_without_the_context_says_so_and_is_not_asked_again(plant: Plant) -> None:
    bare = Simulator(SimulatorConfig(recording_contexts=frozenset()))
    await bare.start()
    try:
        await plant.add_server("bare", bare.port)
        key = await plant.add_client()
        item = {"asterisk_server_code": "bare", "retry": 2}
        body = await call(plant, key, "100000", item=item)
        assert told_of(body) == ("failed", None, None)
        assert body["final"] is True
        assert body["error_message"].startswith("this server has no recording context")
        assert bare.counters.originates == 0
    finally:
        await bare.stop()


@pytest.mark.parametrize(
    ("field", "item", "action"),
    [
        ("recording_path", {"recording_path": "../other"}, {}),
        ("recording_path", {"recording_path": "/var/spool"}, {}),
        ("recording_format", {"recording_format": "mp3"}, {}),
        ("mix_monitor_command", {"mix_monitor_command": "rm -rf /"}, {}),
        ("mix_monitor_command", {"mix_monitor_command": "bridged"}, {}),
        ("action.Variable", {}, {"Variable": "DIALER_RECORDING=/etc/x"}),
        ("action.Variable", {}, {"Variable": "__DIALER_APPLICATION=System"}),
    ],
)
async def test_what_a_client_may_not_say(
    plant: Plant, field: str, item: dict[str, Any], action: dict[str, Any]
) -> None:
    key = await plant.add_client()
    dial = {"Action": "Originate", "Channel": "PJSIP/100000@carrier"}
    row = {"asterisk_server_code": "pbx1", "create_recording": True, **item}
    body = {"batch_id": 1, "data": [row | {"action": dial | action}]}
    async with plant.http(key) as http:
        answer = await http.post("/queues/insertdataincallqueue/", json=body)
    assert answer.status_code == 400
    assert field in answer.text
