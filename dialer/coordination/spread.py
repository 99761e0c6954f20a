"""Which worker is to drive which server. Pure: every worker decides by the same view for itself,
and takes and gives only its own part.

Even to within one among workers who offer the same servers; a server moves only when that makes it
more even, one at a time, or when its owner cannot drive it and another one can.
"""

from collections.abc import Mapping, Set

Members = Mapping[str, Set[int]]
"""Living workers and the servers that each can drive."""
Owners = Mapping[int, str]
"""Servers that are leased, and to whom, living or not."""


def choose_takes(me: str, members: Members, owners: Owners) -> list[int]:
    """The servers without an owner that are mine to take: each goes to the one who has fewest."""
    loads = _count(members, owners)
    mine = []
    for server in sorted(_free(members, owners)):
        able = [worker for worker in members if server in members[worker]]
        taker = min(able, key=lambda worker: (loads[worker], worker))
        loads[taker] += 1
        if taker == me:
            mine.append(server)
    return mine


def choose_give(me: str, members: Members, owners: Owners) -> int | None:
    """The server that I am to leave to another worker now, or None. Nothing moves while any server
    is without owner, and of several who have too many the first gives."""
    if _free(members, owners):
        return None
    loads = _count(members, owners)
    for giver in sorted(loads, key=lambda worker: (-loads[worker], worker)):
        for server in sorted(server for server, owner in owners.items() if owner == giver):
            if any(
                server in offered and loads[giver] - loads[taker] >= 2
                for taker, offered in members.items()
            ):
                return server if giver == me else None
    return None


def choose_left(doubtful: Set[int], members: Members, owners: Owners) -> list[int]:
    """The servers that nobody has and nobody offers: they are for whoever may try."""
    return sorted(doubtful - _offered(members) - set(owners))


def choose_spares(me: str, doubtful: Set[int], members: Members) -> Set[int]:
    """Of what is mine and cannot be driven by me, that which another one can drive."""
    others = {worker: servers for worker, servers in members.items() if worker != me}
    return doubtful & _offered(others)


def _offered(members: Members) -> set[int]:
    return {server for servers in members.values() for server in servers}


def _free(members: Members, owners: Owners) -> set[int]:
    return _offered(members) - set(owners)


def _count(members: Members, owners: Owners) -> dict[str, int]:
    owned = list(owners.values())
    return {worker: owned.count(worker) for worker in members}
