"""What routes are given."""

from fastapi import Request

from dialer.api.deps import deps_of
from tests.unit.dialer.api.conftest import Api


async def test_routes_find_what_the_application_was_made_with(api: Api) -> None:
    request = Request({"type": "http", "app": api.app})
    deps = deps_of(request)
    assert deps.store is api.store
    assert deps.clock is api.clock
