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
