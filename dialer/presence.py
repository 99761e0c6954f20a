"""What each process says of itself, for operators and for its peers: one note a process, in the
store, under a name of its own (`worker/1`, `deliver/2`). The names of processes that are gone are
taken again, so that the notes do not pile up.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

from dialer.clock import Clock
from dialer.store.contract import RuntimeNote

STALE: Final = 6.0
"""Seconds without a word after which a process is taken for gone: it speaks every two."""


class NoteStore(Protocol):
    """What is needed of `dialer.store.contract.Store`."""

    async def put_runtime(self, values: dict[str, Any], now: float) -> None: ...
    async def runtime(self) -> dict[str, RuntimeNote]: ...


def read_notes(notes: Mapping[str, RuntimeNote], now: float) -> dict[str, dict[str, Any]]:
    """What the processes that are there said last, by name."""
    return {
        name: note.value
        for name, note in notes.items()
        if isinstance(note.value, dict) and "process" in note.value and now - note.at <= STALE
    }


class Presence:
    """One process. `role`: "run", "api", "worker" or "deliver"; `process` is unique for ever."""

    def __init__(self, store: NoteStore, clock: Clock, role: str, process: str) -> None:
        self._store = store
        self._clock = clock
        self._role = role
        self._process = process
        self._name: str | None = None
        self._seen: dict[str, dict[str, Any]] = {}  # others, when this process said something last

    async def say(self, state: Mapping[str, object]) -> None:
        """Raises `StoreUnavailable`."""
        others = await self._others()
        if self._name is None or self._name in others:  # two may have taken it in one moment
            self._name = self._find_name(others)
        self._seen = others
        note = {"process": self._process, "role": self._role, **state}
        await self._store.put_runtime({self._name: note}, self._clock.now())

    async def leave(self) -> None:
        """This process ends. Raises `StoreUnavailable`."""
        if self._name is not None:
            await self._store.put_runtime({self._name: None}, self._clock.now())

    def count(self, *roles: str) -> int:
        """How many processes of these roles there were at the last word, this one included."""
        return 1 + len(self._named(roles))

    def leads(self, *roles: str) -> bool:
        """Whether this process is the first of those of these roles: one at a time is, save for
        a moment after one came or went."""
        return self._name is not None and all(self._name < name for name in self._named(roles))

    def _named(self, roles: Collection[str]) -> list[str]:
        return [name for name, note in self._seen.items() if note["role"] in roles]

    async def has_peers(self) -> bool:
        """Whether another process that dials is there, and stays. Raises `StoreUnavailable`."""
        return any(
            "links" in note and not note.get("stopping") for note in (await self._others()).values()
        )

    async def _others(self) -> dict[str, dict[str, Any]]:
        notes = read_notes(await self._store.runtime(), self._clock.now())
        return {name: note for name, note in notes.items() if note["process"] != self._process}

    def _find_name(self, others: Mapping[str, object]) -> str:
        number = 1
        while f"{self._role}/{number}" in others:
            number += 1
        return f"{self._role}/{number}"
