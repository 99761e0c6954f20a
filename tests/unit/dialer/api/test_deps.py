"""What routes are given."""

from dataclasses import replace

import pytest
from fastapi import Request

from dialer.api.deps import ApiDeps, deps_of
from tests.unit.dialer.api.conftest import Api


async def test_routes_find_what_the_application_was_made_with(api: Api) -> None:
    request = Request({"type": "http", "app": api.app})
    deps = deps_of(request)
    assert deps.store is api.store
    assert deps.clock is api.clock


@pytest.mark.parametrize(
    ("processes", "limit", "share"), [(1, 100, 100), (2, 101, 50), (3, 2, 1), (2, 0, 0)]
)
async def test_processes_divide_a_limit_of_requests(
    api: Api, processes: int, limit: int, share: int
) -> None:
    """0 is no limit; each process lets at least one through."""
    deps: ApiDeps = api.app.state.deps
    assert replace(deps, processes=lambda: processes).share(limit) == share
