"""Every route under both base paths, with and without a trailing slash."""

import pytest

from dialer.api.app import BASES, ROUTES
from tests.unit.dialer.api.conftest import Api


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_all_spellings_reach_the_same_route(api: Api, base: str, slash: str) -> None:
    for route in ROUTES:
        path = base + route.path.replace("{queue_id}", "1").rstrip("/") + slash
        answer = await api.send(route.method, path, None)
        assert answer.status_code == 401, path
        assert answer.json()["message"] == "Invalid API key"


async def test_both_bases_show_the_same(api: Api) -> None:
    queue_id = (await api.load())["queue_id"]
    shown = [
        (await api.send("GET", f"{base}/queues/getqueues{slash}?master_queue_id={queue_id}")).json()
        for base in BASES
        for slash in ("", "/")
    ]
    assert all(content == shown[0] for content in shown)
    assert shown[0]["results"][0]["batch_id"] == 1


@pytest.mark.parametrize(
    "path", ["/calling/api/v2/clients/", "/calling/api//clients/", "/clients/"]
)
async def test_other_paths_are_404(api: Api, path: str) -> None:
    assert (await api.send("POST", path, "root", json={})).status_code == 404


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "DELETE", "POST"])
async def test_other_methods_are_405_and_told_which_there_are(api: Api, method: str) -> None:
    answer = await api.send(method, "/calling/api/queues/getqueues/", None)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    expected = {"message": "Method not allowed", "status": "error"}
    assert method == "HEAD" or answer.json() == expected


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/", "/calling/%ff%00/", "/calling/%zz"])
async def test_what_is_not_there_is_404_in_the_documented_format(api: Api, path: str) -> None:
    answer = await api.send("GET", path, None)
    assert answer.status_code == 404
    assert answer.json() == {"message": "Not found", "status": "error"}
