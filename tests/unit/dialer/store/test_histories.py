"""Reading CDRs back, piece by piece."""

from typing import Any

from sqlalchemy import Select

from dialer.histories import CdrQuery
from dialer.store import histories


async def test_an_empty_history_is_one_page() -> None:
    asked: list[Select[Any]] = []

    async def fetch(query: Select[Any]) -> list[list[Any]]:
        asked.append(query)
        return []

    page = await histories.read_page(fetch, CdrQuery(1), 10, None, 0, count=True)
    assert (page.rows, page.total, page.next_cursor) == ((), 0, None)
    assert asked
