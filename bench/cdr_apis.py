"""What a page of a long history costs over HTTP, in each API, whole requests with their checks.

    python -m bench.cdr_apis [--cdrs 5000000] [--folder .]

Builds the history of `bench.cdr_pages`, asks each API for pages at its beginning, middle and end,
and prints median and worst times. The application is called in this process, without sockets.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from bench.cdr_pages import BEGUN, EVERY, build, prepare
from dialer.api.app import ApiDeps, create_api
from dialer.clock import SystemClock
from dialer.coordination.local import LocalSignals
from dialer.ids import Ids
from dialer.keys import make_key
from dialer.php_query import hash_params
from dialer.settings import load_settings
from dialer.store.contract import EndedItem, NewDelivery
from dialer.store.sqlite import SqliteStore

REPEATS: Final = 20
DAY: Final = 86_400
Ask = Callable[[int], tuple[str, str, dict[str, Any]]]
"""Makes a request for the rows from so many on: method, path, httpx's arguments."""


class ClockOfThen(SystemClock):
    """Stands at the end of the history's first third: reports go 15 days back."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self._at = at

    def now(self) -> float:
        return self._at


@dataclass(frozen=True, slots=True)
class Bench:
    """A client of the application over a built history."""

    http: httpx.AsyncClient
    key: str

    async def time(self, name: str, ask: Ask, rows: int) -> None:
        """Print what pages that begin at the start, the middle and the end of `rows` take."""
        begun = time.perf_counter()
        await self._fetch(ask(0))
        shown = [f"{name:32} {rows:>9,} rows, first asked {self._since(begun):8.1f} ms "]
        for place, offset in (("first", 0), ("middle", rows // 2), ("last", rows - 200)):
            times, size = [], 0
            for repeat in range(REPEATS):
                begun = time.perf_counter()
                size = await self._fetch(ask(max(0, offset - 100 * repeat)))
                times.append(self._since(begun))
            shown.append(f"{place} {median(times):5.1f} ({max(times):5.1f})")
        print("  ".join(shown), f" {size:,} bytes", flush=True)

    async def _fetch(self, asked: tuple[str, str, dict[str, Any]]) -> int:
        method, path, more = asked
        answer = await self.http.request(method, path, **more)
        assert answer.status_code == 200, answer.text
        return len(answer.content)

    @staticmethod
    def _since(begun: float) -> float:
        return (time.perf_counter() - begun) * 1e3

    def ask_v2(self, offset: int) -> tuple[str, str, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.key}"}
        return "GET", f"/v2/cdr?limit=100&offset={offset}", {"headers": headers}

    def ask_pbx(self, offset: int) -> tuple[str, str, dict[str, Any]]:
        params = {"page": offset // 100 + 1, "filters": {"direction": "OUT"}}
        signed = params | {"api_hash": hash_params(params, self.key)}
        headers = {"Authorization": f"Bearer {self.key}"}
        return "POST", "/api/cdr", {"headers": headers, "content": json.dumps(signed)}

    def make_report(self, day: str, path: str, **more: object) -> Ask:
        body = {"userName": "bench", "fromDate": f"{day} 00:00:00", "toDate": f"{day} 23:59:59"}

        def ask(offset: int) -> tuple[str, str, dict[str, Any]]:
            url = f"/ca_reports/{path}?pageSize=100&pageNo={offset // 100 + 1}"
            return "GET", url, {"headers": {"apiKey": self.key}, "json": body | more}

        return ask


def close_nothing(_: EndedItem) -> tuple[NewDelivery, ...]:
    raise AssertionError("nothing is ended here")


async def bench(cdrs: int, path: Path) -> None:
    store = SqliteStore(f"sqlite+aiosqlite:///{path}")
    await store.open()
    await prepare(store)
    key, stored = make_key(await store.installation_secret())
    await store.replace_key(1, stored, BEGUN)
    await store.close()
    build(path, cdrs)
    store = SqliteStore(f"sqlite+aiosqlite:///{path}")
    await store.open()
    middle = BEGUN + cdrs * EVERY / 2
    settings = load_settings(
        env_file=None, database_url=f"sqlite+aiosqlite:///{path}", reports_per_minute=0
    )
    app = create_api(
        ApiDeps(
            store, settings, ClockOfThen(middle), Ids(os.urandom), LocalSignals(), close_nothing
        )
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://bench", timeout=600
    ) as http:
        await measure(Bench(http, key), cdrs, middle)
    await store.close()


async def measure(bench: Bench, cdrs: int, middle: float) -> None:
    print(f"pages of 100, in ms: median (worst) of {REPEATS}", flush=True)
    rows = cdrs * 9 // 10
    await bench.time("/v2/cdr", bench.ask_v2, rows)
    await bench.time("/api/cdr", bench.ask_pbx, rows)
    day = time.strftime("%Y-%m-%d", time.gmtime(middle - DAY))
    ask = bench.make_report(day, "fetchCdrByPagination")
    method, url, more = ask(0)
    of_day = (await bench.http.request(method, url, **more)).json()
    await bench.time("fetchCdrByPagination", ask, of_day["totalCount"])
    ucid = of_day["details"][0]["UCID"]
    await bench.time("fetchCdrByUCID", bench.make_report(day, "fetchCdrByUCID", ucid=ucid), 1)
    begun = time.perf_counter()
    method, url, more = bench.make_report(day, "fetchCDRDetails")(0)
    answer = await bench.http.request(method, url, **more)
    found = len(answer.json()["details"])
    took = time.perf_counter() - begun
    print(
        f"fetchCDRDetails: a day's {found:,} calls in {took:.1f} s, {len(answer.content):,} bytes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cdrs", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="whose disk is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(bench(options.cdrs, Path(folder) / "pages.db"))


if __name__ == "__main__":
    main()
