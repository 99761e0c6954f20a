"""Health for machines that watch."""

import httpx

from dialer.api.app import create_health
from tests.unit.dialer.api.conftest import Api


async def test_alive_without_a_key(api: Api) -> None:
    answer = await api.send("GET", "/healthz", None)
    assert (answer.status_code, answer.json()["status"]) == (200, "success")


async def test_ready_when_all_parts_are(api: Api) -> None:
    answer = await api.send("GET", "/readyz", None)
    assert answer.json() == {
        "message": "Ready",
        "status": "success",
        "data": {"store": True, "worker": True},
    }
    api.ready["worker"] = False
    answer = await api.send("GET", "/readyz", None)
    assert answer.status_code == 503
    assert answer.json() == {"message": "Not ready", "status": "error", "details": "worker"}


async def test_a_process_without_the_api_answers_for_its_health_alone() -> None:
    ready = {"store": True, "coordination": False}
    transport = httpx.ASGITransport(create_health(lambda: ready))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as http:
        assert (await http.get("/healthz")).status_code == 200
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["details"]) == (503, "coordination")
        ready["coordination"] = True
        assert (await http.get("/readyz")).json()["data"] == ready
        answer = await http.get("/calling/api/clients/test-connection")
        assert (answer.status_code, answer.json()["message"]) == (404, "Not found")
