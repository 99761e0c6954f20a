"""The client: posts batches over HTTP, and posts one again, with the same body, until it is
answered with 200: as the API's document tells clients to do."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

PAUSE: Final = 0.05
"""Seconds before a batch whose answer was lost is posted again."""

LARGEST: Final = 500
"""Items in a batch, at most."""

ENDINGS: Final = {"07": 70, "00": 10, "01": 5, "02": 3, "03": 2, "04": 2, "05": 2, "08": 4, "11": 2}
"""How often a number has an ending, in percent: what the far end does with it (the table of
asterisk-conf and of the simulator). 07 talks longest."""


@dataclass(frozen=True, slots=True)
class Account:
    """A client of the API. `retry`: how often a call of its is tried again; `share`: of five calls,
    how many are its."""

    name: str
    key: str
    channels: int
    retry: int
    share: int


@dataclass(frozen=True, slots=True)
class Calls:
    """What is dialed: `prefix` makes a campaign's numbers its own, `talk` is what Wait gets."""

    server: str
    prefix: str
    talk: str
    size: int = 20

    def server_of(self, number: str) -> str:
        """The code of the server that a number is dialed through."""
        return self.server


@dataclass(slots=True)
class Loader:
    """Loads while `is_hungry()`. `url` is where the API is now, None while it is nowhere.
    `refusals` counts the answers after which a batch was posted again, by status and body."""

    calls: Calls
    accounts: tuple[Account, ...]
    is_hungry: Callable[[], bool]
    seed: int = 0
    url: str | None = None
    accepted: list[str] = field(default_factory=list)
    repeated: int = 0
    failed: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    _queues: dict[str, int] = field(default_factory=dict)
    _number: "itertools.count[int]" = field(default_factory=itertools.count)
    _batch: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, and then to the answer of the last batch."""
        rng = random.Random(self.seed)
        async with httpx.AsyncClient(timeout=60.0) as http:
            for account in itertools.cycle([a for a in self.accounts for _ in range(a.share)]):
                while not self.is_hungry() and not stop.is_set():  # noqa: ASYNC110 (it tells nobody)
                    await asyncio.sleep(PAUSE)
                if stop.is_set():
                    return
                await self.load(http, account, self.draw_numbers(rng))

    async def load_talk(self, account: Account, count: int) -> None:
        """So many calls that talk."""
        async with httpx.AsyncClient(timeout=60.0) as http:
            for start in range(0, count, LARGEST):
                size = min(LARGEST, count - start)
                await self.load(http, account, [f"{self._next()}07" for _ in range(size)])

    def draw_numbers(self, rng: random.Random) -> list[str]:
        """A batch of new ones, with endings as often as they are to be."""
        endings = rng.choices(list(ENDINGS), list(ENDINGS.values()), k=self.calls.size)
        return [f"{self._next()}{ending}" for ending in endings]

    def _next(self) -> str:
        return f"{self.calls.prefix}{next(self._number):06d}"

    async def load(self, http: httpx.AsyncClient, account: Account, numbers: list[str]) -> None:
        body = {
            "queue_id": self._queues.get(account.name),
            "batch_id": next(self._batch),
            "data": [self._item(number, account) for number in numbers],
        }
        answer = await self._post(http, account, body)
        if answer.status_code != 200:
            self.failed.append(f"{answer.status_code} {answer.text[:500]}")
            return
        stored: dict[str, Any] = answer.json()["data"]
        if stored["inserted_count"] != len(numbers):
            self.failed.append(f"{len(numbers)} items sent, answered {stored}")
        if account.name not in self._queues:
            self._queues[account.name] = stored["queue_id"]
            await self._shorten_gap(http, account, stored["queue_id"])
        self.accepted += numbers

    async def load_paused(
        self, http: httpx.AsyncClient, account: Account, count: int, deadline: str
    ) -> None:
        """So many calls in a queue of their own that is paused at once; `deadline` as the API has
        it."""
        numbers = [f"{self._next()}00" for _ in range(count)]
        items = [self._item(number, account) | {"deadline": deadline} for number in numbers]
        body = {"queue_id": None, "batch_id": next(self._batch), "data": items[:1]}
        answer = await self._post(http, account, body)
        answer.raise_for_status()
        queue = answer.json()["data"]["queue_id"]
        path = f"queues/updatequeuemaster/{queue}"
        await self._ask(http, account, "PUT", path, {"queue_status": "paused"})
        body = {"queue_id": queue, "batch_id": next(self._batch), "data": items[1:]}
        (await self._post(http, account, body)).raise_for_status()
        self.accepted += numbers

    async def _post(
        self, http: httpx.AsyncClient, account: Account, body: dict[str, Any]
    ) -> httpx.Response:
        """The first answer that is no error of the server's."""
        return await self._ask(http, account, "POST", "queues/insertdataincallqueue/", body)

    async def _shorten_gap(self, http: httpx.AsyncClient, account: Account, queue: int) -> None:
        path = f"queues/updatequeuemaster/{queue}"
        await self._ask(http, account, "PUT", path, {"retry_gap": 1})

    async def _ask(
        self,
        http: httpx.AsyncClient,
        account: Account,
        method: str,
        path: str,
        body: dict[str, Any],
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {account.key}"}
        while True:
            if self.url is not None:
                try:
                    url = f"{self.url}/{path}"
                    answer = await http.request(method, url, json=body, headers=headers)
                except httpx.TransportError:
                    self.repeated += 1
                else:
                    if answer.status_code not in (429, 500, 503):
                        return answer
                    self.repeated += 1
                    self.refusals[f"{answer.status_code} {answer.text[:200]}"] += 1
            await asyncio.sleep(PAUSE)

    def _item(self, number: str, account: Account) -> dict[str, Any]:
        return {
            "asterisk_server_code": self.calls.server_of(number),
            "call_timeout": 3,
            "retry": account.retry,
            "action": {
                "Action": "Originate",
                "Channel": f"PJSIP/{number}@carrier",
                "Application": "Wait",
                "Data": self.calls.talk,
            },
        }
