"""A clock that stands still until told otherwise."""


class FakeClock:
    def __init__(self, wall: float = 1_000_000.0, monotonic: float = 1000.0) -> None:
        self.wall = wall
        self.mono = monotonic

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds
