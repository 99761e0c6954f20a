"""A worker's connection to Redis, from entering to the end of it."""

import asyncio
from collections.abc import Iterable
from typing import Final, Self

from dialer.coordination.address import RedisAddress
from dialer.coordination.connection import Connection, RedisGone
from dialer.coordination.scripts import Script, read_script
from dialer.coordination.view import State

PREFIX: Final = "dialer:"
"""Of all keys. Installations that share a Redis choose different databases."""


def name_channel(address: RedisAddress, purpose: str) -> str:
    """Published messages know no databases."""
    return f"{PREFIX}{address.db}:{purpose}"


class Session:
    """`run_id`: which life of the server this is. A session ends with its connection."""

    def __init__(self, connection: Connection, address: RedisAddress, worker: str) -> None:
        self._connection, self._worker = connection, worker
        self._keys = ("2", PREFIX, name_channel(address, "room"))
        self._hashes: dict[Script, str] = {}
        self._number = ""
        self._run_id = ""
        self.epoch = ""

    @classmethod
    async def open(cls, address: RedisAddress, worker: str, number: int, timeout: float) -> Self:
        """Connect and look whether this Redis can be used; `number` is larger with each connection
        of a worker. Raises `RedisGone`."""
        connection = await Connection.open(address, timeout)
        session = cls(connection, address, worker)
        session._number = str(number)
        try:
            await session._look()
            hashes = await asyncio.gather(
                *(connection.ask("SCRIPT", "LOAD", read_script(script)) for script in Script)
            )
        except BaseException:
            connection.close()
            raise
        session._hashes = dict(zip(Script, (found.decode() for found in hashes), strict=True))
        return session

    async def enter(
        self, new_epoch: str, knew: str, claims: str, slots: Iterable[tuple[int, int, str]]
    ) -> State:
        """Become a member (`lua/enter.lua`); slots are (server, client, channel)."""
        words = [str(word) for slot in slots for word in slot]
        answer = await self._run(
            Script.ENTER, new_epoch, self._worker, self._number, self._run_id, knew, claims, *words
        )
        self.epoch, _, state = answer.partition(" ")
        return State(state)

    async def run(self, script: Script, *words: str) -> str:
        """Raises `RedisGone`."""
        return await self._run(script, self.epoch, self._worker, self._number, *words)

    @property
    def lost(self) -> asyncio.Event:
        return self._connection.lost

    def close(self) -> None:
        self._connection.close()

    async def _run(self, script: Script, *words: str) -> str:
        answer = await self._connection.ask("EVALSHA", self._hashes[script], *self._keys, *words)
        return answer.decode()

    async def _look(self) -> None:
        facts = _read_info(await self._connection.ask("INFO", "server"))
        self._run_id = facts.get("run_id", "")
        facts |= _read_info(await self._connection.ask("INFO", "replication"))
        facts |= _read_info(await self._connection.ask("INFO", "memory"))
        if facts.get("role") == "slave":
            raise RedisGone("it is a replica: the address must be the one that is written to")
        policy = facts.get("maxmemory_policy", "")
        if facts.get("maxmemory", "0") != "0" and policy.startswith("allkeys"):
            raise RedisGone(
                f"it may throw away what it holds (maxmemory-policy {policy}): set it to noeviction"
            )


def _read_info(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
