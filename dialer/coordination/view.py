"""What a worker sees of the others with each sign of life. Pure."""

import json
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How Redis judges a worker's request (`lua/prelude.lua`)."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"  # what was lost is not rebuilt yet: nothing is granted
    EPOCH = "EPOCH"  # Redis lost what it held since this worker entered: enter again
    STALE = "STALE"  # this worker has a newer connection, or was forgotten


@dataclass(frozen=True, slots=True)
class View:
    """`shown`: seconds of Redis' clock; `beats`: signs of life so far, by worker; `offers`: the
    servers that each can drive; `leases`: who has which server."""

    state: State
    shown: float
    era: int
    beats: dict[str, int]
    offers: dict[str, frozenset[int]]
    leases: dict[int, str]


def read_view(text: str) -> View | State:
    """The answer of `lua/beat.lua`; only a state where the request was refused."""
    found = json.loads(text)
    state = State(found["state"])
    if state in (State.EPOCH, State.STALE):
        return state
    return View(
        state,
        int(found["now"]) / 1_000_000,
        found["era"],
        {worker: int(beat) for worker, beat in found["beats"].items()},
        {worker: read_servers(servers) for worker, servers in found["offers"].items()},
        {int(server): worker for server, worker in found["leases"].items()},
    )


def read_servers(text: str) -> frozenset[int]:
    return frozenset(int(word) for word in text.split())


def write_servers(servers: frozenset[int] | set[int]) -> str:
    return " ".join(map(str, sorted(servers)))
