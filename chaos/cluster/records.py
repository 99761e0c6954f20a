"""What was seen during a campaign with several workers. Times are epoch seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from chaos.cluster.database import Lifetime
from chaos.cluster.harm import Harm
from chaos.records import Evidence, Wire


@dataclass(frozen=True, slots=True)
class Limit:
    """Of a client over all servers, or of a server over all clients."""

    channels: int
    cps: float


@dataclass(frozen=True, slots=True)
class Round:
    """One fault by itself. `flowing`: when calls were seen to go again, None: not in time;
    `before`, `after`: from when to when rates were taken, None: not; `over`: when it was all over,
    and the next one might begin."""

    fault: str
    harm: Harm
    flowing: float | None
    before: tuple[float, float] | None
    after: tuple[float, float] | None
    over: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """All of it. `whole`: what checks of a single server look at, all servers put together.
    `frozen`: (server, since, until), its worker could not be told anything; `away`: PostgreSQL took
    nothing; `deaths`: (server, when), it was over with all its calls; `disorders`: what is wrong
    with the times of CDRs, once for each; `baseline`: when the rate before all faults was taken;
    `rates_until`: when limits of calls a second were lifted; `kept`: of the rate before a fault,
    what there must be after it; `slack`: seconds that all else may take longer; `blur`:
    seconds that a start may have been earlier than it was seen. `unasked`:
    processes that ended though nobody harmed them; `refused`: batches that were never taken;
    `false_starts`: processes that ended before they were ready, and were started again; `statuses`:
    how processes ended that were asked to at the end."""

    whole: Evidence
    wires: Mapping[str, Wire]
    lifetimes: Mapping[str, Lifetime]
    reasons: tuple[str, ...]
    clients: Mapping[str, Limit]
    servers: Mapping[str, Limit]
    rounds: tuple[Round, ...]
    storm: tuple[tuple[str, Harm], ...]
    frozen: tuple[tuple[str, float, float], ...]
    away: tuple[tuple[float, float], ...]
    deaths: tuple[tuple[str, float], ...]
    disorders: tuple[str, ...]
    baseline: tuple[float, float]
    rates_until: float
    kept: float
    slack: float
    blur: float
    unasked: tuple[str, ...]
    refused: tuple[str, ...]
    false_starts: int
    statuses: tuple[tuple[str, int], ...]
    seconds: float
