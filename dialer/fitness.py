"""Whether this worker can do its work: write to the database, note on its own disk what leaves,
and reach each of its servers.

What it cannot drive is left to workers who can (`Coordinator.offer`, `doubtful`). Pure: times are
monotonic seconds of this process.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `database`: without a word written there, nothing can be driven from here. `disk`:
    the same without a place for notes on this machine. `link`: without a link to a server, that
    one cannot. `rest`: how long a server that went to another worker for that is left to others,
    the second time twice as long, and so on up to `longest`; a link that held for `link` begins
    anew."""

    database: float = 5.0
    disk: float = 5.0
    link: float = 30.0
    rest: float = 60.0
    longest: float = 600.0


@dataclass(slots=True)
class _Server:
    """`since`: when its link came or went, or the server came; `failing`: it is ours, and could not
    be driven when last looked at; `rest`: seconds, the next one."""

    rest: float
    ours: bool = False
    up: bool = False
    since: float = -inf
    failing: bool = False
    rests_until: float = -inf


@dataclass(slots=True)
class Fitness:
    """`stored_at`: when a word was written to the database; `noted_at`: when this machine's disk
    could last be written to."""

    patience: Patience
    stored_at: float
    noted_at: float = inf
    _servers: dict[int, _Server] = field(default_factory=dict)

    def stored(self, now: float) -> None:
        self.stored_at = now

    def noted(self, now: float) -> None:
        self.noted_at = now

    def cut_off(self, now: float) -> bool:
        """Nothing can be written to the database, and nothing should wait for it."""
        return now - self.stored_at > self.patience.database

    def look(self, links: Mapping[int, bool], now: float) -> None:
        """`links`: the servers that are ours and should have a link, and whether it is up."""
        for server_id, up in links.items():
            server = self._servers.setdefault(server_id, _Server(self.patience.rest))
            self._follow(server, up, now)
        for server_id in self._servers.keys() - links.keys():
            self._leave(self._servers[server_id], now)

    def doubtful(self, server_ids: Collection[int], now: float) -> frozenset[int]:
        """Of these, the ones that cannot be driven from here, or could not of late."""
        if self._can_drive_nothing(now):
            return frozenset(server_ids)
        return frozenset(id_ for id_ in server_ids if self._is_doubtful(id_, now))

    def _can_drive_nothing(self, now: float) -> bool:
        return self.cut_off(now) or now - self.noted_at > self.patience.disk

    def _is_doubtful(self, server_id: int, now: float) -> bool:
        server = self._servers.get(server_id)
        return server is not None and (server.failing or now < server.rests_until)

    def _follow(self, server: _Server, up: bool, now: float) -> None:
        if up != server.up or not server.ours:
            server.ours, server.up, server.since = True, up, now
        steady = now - server.since > self.patience.link
        if up and steady:
            server.rest = self.patience.rest
        if up:
            server.rests_until = -inf
        server.failing = self._can_drive_nothing(now) or (not up and steady)

    def _leave(self, server: _Server, now: float) -> None:
        """It is not ours, or not any more: one that failed rests."""
        if server.failing:
            server.rests_until = now + server.rest
            server.rest = min(2 * server.rest, self.patience.longest)
        server.ours = server.failing = False
