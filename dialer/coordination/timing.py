"""How long things take between workers and Redis. Seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """`valid` + `margin` < `dead`: a lease is taken over long after its owner may not write any
    more. `valid` > 2 `beat` + `timeout`: one lost beat does not stop anything."""

    beat: float = 0.7
    """Between two signs of life, each of which renews all leases."""
    valid: float = 2.5
    """How long a renewal allows writing, from the moment it was sent."""
    margin: float = 0.3
    """Added where one worker waits for what another one's clock ends."""
    dead: float = 6.0
    """Without a sign of life, as another worker's own clock measures it, leases are taken over."""
    spare: float = 6.0
    """A server that its owner cannot drive goes to another one who offers it for so long: all who
    lost the same database, or have it back, say so within that time."""
    forget: float = 60.0
    """Without a sign of life a worker is forgotten."""
    timeout: float = 0.5
    """For each answer of Redis."""
    retry: float = 0.25
    """Between two tries to connect."""
    sweep: float = 10.0
    """Between two comparisons of what is held here and at Redis."""
    warm: float = 1.1
    """How long Redis' clock is watched before turns are trusted to it."""
    room: float = 0.25
    """Refused for want of room and told nothing: ask again after this long."""

    @property
    def glance(self) -> float:
        """Between two views of the others at most, while all is well."""
        return 2 * self.beat + self.timeout
