"""Health for machines that watch."""

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
