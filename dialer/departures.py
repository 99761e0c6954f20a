"""Attempts that are on disk and wait for their turn on the wire. Pure.

Limits of calls per second hold where the Originate is written, whatever the planner thought and the
disk took. One line for each server and client; the two share a gate each with other lines, and of
those whose gates are open the one that waits longest goes first. `now` is monotonic seconds.

Where workers share a client's limit, its attempts bring a turn each, and that decides in place of
the client's own gate here. A turn is used within some milliseconds or lost, so of the server's gate
the rule of the rolling second alone holds it up: the places of two grids seldom meet.
"""

from collections import deque

from dialer.attempts import LiveAttempt, Stage
from dialer.pacing import RateGate
from dialer.planner import Planner

Line = tuple[int, int]
"""(server id, client id)"""


class Departures:
    """Asks the planner for the limits as they are now."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._lines: dict[Line, deque[tuple[int, LiveAttempt]]] = {}
        self._servers: dict[int, RateGate] = {}
        self._clients: dict[int, RateGate] = {}
        self._added = 0

    def add(self, attempt: LiveAttempt) -> None:
        """An attempt in `cleared`: it leaves the line when it is popped or taken to another
        stage."""
        line = (attempt.placement.server.id, attempt.placement.client.id)
        self._added += 1
        self._lines.setdefault(line, deque()).append((self._added, attempt))

    def pop(self, now: float) -> LiveAttempt | None:
        """The attempt whose turn it is, or None: its start is counted, write it."""
        ready = [line for line in self._waiting() if self._opens(line) <= now]
        if not ready:
            return None
        first = min(ready, key=lambda line: self._lines[line][0][0])
        _, attempt = self._lines[first].popleft()
        for gate in self.gates(*first):
            gate.take(now)
        self._hold_back(*first)
        return attempt

    def pop_late(self, now: float) -> LiveAttempt | None:
        """One whose turn has gone by, or None: it needs another."""
        for line in self._waiting():
            turn = self._lines[line][0][1].turn
            if turn is not None and now > turn.not_after:
                return self._lines[line].popleft()[1]
        return None

    def next_at(self) -> float | None:
        """When the next turn comes; None: nobody waits."""
        return min((self._opens(line) for line in self._waiting()), default=None)

    def clear(self, server_id: int | None = None) -> list[LiveAttempt]:
        """All that wait (on this server, where one is named), who do not any more."""
        lines = [line for line in self._waiting() if server_id in (None, line[0])]
        waiting = [attempt for line in lines for _, attempt in self._lines.pop(line)]
        return [attempt for attempt in waiting if attempt.stage is Stage.CLEARED]

    def gates(self, server_id: int, client_id: int) -> tuple[RateGate, RateGate]:
        """The gates as the wire sees them."""
        gates = (
            self._servers.setdefault(server_id, RateGate(catch_up=self._planner.catch_up)),
            self._clients.setdefault(client_id, RateGate()),
        )
        gates[0].change(self._planner.server(server_id).max_cps)
        gates[1].change(self._planner.client(client_id).max_cps)
        return gates

    def _waiting(self) -> list[Line]:
        """The lines that are not empty; what was taken to another stage leaves them here."""
        for key, line in tuple(self._lines.items()):
            while line and line[0][1].stage is not Stage.CLEARED:
                line.popleft()
            if not line:
                del self._lines[key]
        return list(self._lines)

    def _opens(self, line: Line) -> float:
        turn = self._lines[line][0][1].turn
        if turn is not None:
            return max(self.gates(*line)[0].has_room_at(), turn.not_before)
        return max(gate.earliest() for gate in self.gates(*line))

    def _hold_back(self, server_id: int, client_id: int) -> None:
        """Let the planner reserve no more than the wire will soon take: a slow commit would else
        leave a line that never gets shorter, of calls that hold slots."""
        of_server = sum(len(line) for key, line in self._lines.items() if key[0] == server_id)
        of_client = sum(len(line) for key, line in self._lines.items() if key[1] == client_id)
        planned = self._planner.gates(server_id, client_id)
        wire = self.gates(server_id, client_id)
        planned[0].fall_behind(wire[0], of_server)
        planned[1].fall_behind(wire[1], of_client)
