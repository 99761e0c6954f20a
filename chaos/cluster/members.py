"""The dialer's processes of a campaign: APIs, workers and deliverers, each with ways of its own to
PostgreSQL and Redis."""

import asyncio
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from chaos.cluster.switchboard import Way
from chaos.lives import Life, Nursery, clean_environment
from dialer.failpoints import CONSENT, SEED, VARIABLE

READY: Final = 60.0
"""Seconds that a process gets to be ready; PostgreSQL or Redis may be away meanwhile."""

AGAIN: Final = 0.5
"""Seconds until one that did not get ready is started again."""

_INODE: Final = re.compile(r"socket:\[(\d+)\]")
_ESTABLISHED: Final = "01"  # the state column of /proc/net/tcp


class Role(StrEnum):
    """A command of the dialer's."""

    API = "api"
    WORKER = "worker"
    DELIVER = "deliver"


@dataclass(slots=True, eq=False)
class Member:
    """One place in the cluster, and the process that has it now. `settings` are those of all of its
    lives; `state` is its DIALER_STATE_DIR, `clock` what its clock is moved by."""

    role: Role
    number: int
    settings: Mapping[str, str]
    log: Path
    database: Way
    redis: Way
    state: Path
    clock: Path
    life: Life | None = None
    lives: int = 0

    @property
    def name(self) -> str:
        return f"{self.role}-{self.number}"

    @property
    def alive(self) -> bool:
        return self.life is not None and not self.life.ended.done()

    @property
    def pid(self) -> int:
        """Raises where it has no process."""
        assert self.life is not None
        return self.life.pid


@dataclass(slots=True)
class Members:
    """All of them, and the nursery that bears them. `unasked`: processes that ended by themselves,
    in words; `false_starts`: those that ended before they were ready, because what they need was
    away: whoever supervises starts them again."""

    nursery: Nursery
    seed: int
    all: list[Member] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    false_starts: int = 0
    _harmed: set[int] = field(default_factory=set)

    def of(self, role: Role) -> list[Member]:
        return [member for member in self.all if member.role is role]

    async def start(self, member: Member, rule: str | None = None) -> None:
        """A new life, not ready yet. `rule`: as DIALER_FAILPOINTS has it."""
        settings = dict(member.settings)
        if rule is not None:
            settings[VARIABLE] = rule
            settings[CONSENT] = settings["DIALER_DATABASE_URL"]
            settings[SEED] = str(self.seed)
        environment = clean_environment(settings)
        member.life = await self.nursery.bear(environment, (member.role.value,), log=member.log)
        member.lives += 1
        if rule is not None:
            self._harmed.add(member.pid)
        life = member.life
        life.ended.add_done_callback(lambda _: self._look(member, life))

    async def start_ready(self, *members: Member) -> None:
        """New lives for those that have none; returns when all of `members` are ready. Raises
        `TimeoutError` when one does not get so far."""
        async with asyncio.timeout(READY):
            await asyncio.gather(*(self._start_ready(member) for member in members))

    async def _start_ready(self, member: Member) -> None:
        while True:
            if not member.alive:
                await self.start(member)
            assert member.life is not None
            both = (member.life.ready, member.life.ended)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if member.life.ready.done() and not member.life.ended.done():
                return
            await asyncio.sleep(AGAIN)

    async def kill(self, member: Member) -> float:
        """kill -9; when it was over."""
        return await self._end(member, signal.SIGKILL)

    async def ask_to_leave(self, member: Member) -> int:
        """SIGTERM; its exit status."""
        self._send(member, signal.SIGTERM)
        assert member.life is not None
        return await member.life.ended

    def freeze(self, member: Member) -> float:
        """SIGSTOP; when that was."""
        self._send(member, signal.SIGSTOP)
        return time.time()

    def thaw(self, member: Member) -> float:
        self._send(member, signal.SIGCONT)
        return time.time()

    async def _end(self, member: Member, number: signal.Signals) -> float:
        self._send(member, number)
        assert member.life is not None
        await member.life.ended
        return time.time()

    def _send(self, member: Member, number: signal.Signals) -> None:
        if member.life is not None:
            if number in (signal.SIGKILL, signal.SIGTERM):
                self._harmed.add(member.life.pid)
            self.nursery.send(member.life, number)

    def _look(self, member: Member, life: Life) -> None:
        if life.pid in self._harmed:
            return
        if life.ready.done():
            self.unasked.append(f"{member.name}, life {member.lives}")
        else:
            self.false_starts += 1


def find_peers(pid: int) -> set[int]:
    """The ports of 127.0.0.1 that a process is connected to (proc(5): /proc/net/tcp)."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = _INODE.fullmatch(str(entry.readlink()))
        except OSError:
            continue  # closed meanwhile
        if found is not None:
            inodes.add(found[1])
    peers = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        columns = line.split()
        if columns[9] in inodes and columns[3] == _ESTABLISHED:
            peers.add(int(columns[2].rpartition(":")[2], 16))
    return peers
