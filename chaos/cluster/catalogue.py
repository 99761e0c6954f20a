"""Every fault of a cluster by its name, and those that come at once in a storm."""

import random
import time
from collections.abc import Mapping
from typing import Final

from chaos.cluster.faults import (
    LONG,
    SHORT,
    ask_other_to_leave,
    ask_worker_to_leave,
    cut_ami,
    flush_redis,
    freeze_postgres,
    freeze_redis,
    freeze_worker,
    hang_ami,
    kill_other,
    kill_worker,
    part_from,
    restart_postgres,
    restart_redis,
    terminate_sessions,
)
from chaos.cluster.harm import Harm, Inflict
from chaos.cluster.machines import fill_disk, limit_growth, move_clock
from chaos.cluster.members import Role
from chaos.cluster.outages import freeze_asterisk, kill_asterisk, stop_gracefully, stop_now
from chaos.cluster.points import AT_POINTS, kill_worker_at_any
from chaos.cluster.stage import Stage

NOTHING: Final = "nothing"
"""The name of what harms nothing: what rates are worth, measured on this machine at this time."""


async def harm_nothing(stage: Stage, rng: random.Random) -> Harm:
    now = time.time()
    return Harm("nothing was done", now, now)


FAULTS: Final[Mapping[str, Inflict]] = {
    NOTHING: harm_nothing,
    "worker-kill": kill_worker,
    "worker-failpoint": kill_worker_at_any,
    "worker-freeze-short": freeze_worker(SHORT, takeover=False),
    "worker-freeze-long": freeze_worker(LONG, takeover=True),
    "worker-term": ask_worker_to_leave,
    "worker-disk-full": fill_disk,
    "worker-disk-errors": limit_growth,
    "worker-clock": move_clock,
    "api-kill": kill_other(Role.API),
    "deliver-kill": kill_other(Role.DELIVER),
    "api-term": ask_other_to_leave(Role.API),
    "deliver-term": ask_other_to_leave(Role.DELIVER),
    "pg-restart": restart_postgres(kill=False),
    "pg-kill": restart_postgres(kill=True),
    "pg-terminate": terminate_sessions,
    "pg-freeze": freeze_postgres,
    "redis-restart": restart_redis(kill=False),
    "redis-kill": restart_redis(kill=True),
    "redis-flush": flush_redis,
    "redis-freeze": freeze_redis,
    "cut-pg": part_from("PostgreSQL", hang=False),
    "hang-pg": part_from("PostgreSQL", hang=True),
    "cut-redis": part_from("Redis", hang=False),
    "hang-redis": part_from("Redis", hang=True),
    "hang-both": part_from("PostgreSQL and Redis", hang=True),
    "cut-ami": cut_ami,
    "hang-ami": hang_ami,
    "asterisk-graceful": stop_gracefully,
    "asterisk-stop": stop_now,
    "asterisk-kill": kill_asterisk,
    "asterisk-freeze": freeze_asterisk,
}
"""Those that a campaign has by default."""

ALL: Final[Mapping[str, Inflict]] = {**FAULTS, **AT_POINTS}

HANDS: Final[tuple[tuple[tuple[str, ...], tuple[float, float]], ...]] = (
    (
        (
            *("worker-kill", "worker-failpoint", "worker-freeze-short", "worker-freeze-long"),
            *("worker-term", "worker-disk-full", "worker-disk-errors"),
        ),
        (2.0, 8.0),
    ),
    (("api-kill", "deliver-kill", "api-term", "deliver-term"), (1.0, 8.0)),
    (("pg-restart", "pg-kill", "pg-terminate", "pg-freeze"), (8.0, 25.0)),
    (("redis-restart", "redis-kill", "redis-flush", "redis-freeze"), (12.0, 30.0)),
    (("cut-pg", "hang-pg", "cut-redis", "hang-redis", "hang-both"), (4.0, 12.0)),
    (("cut-ami", "hang-ami"), (8.0, 25.0)),
    (("asterisk-graceful", "asterisk-stop", "asterisk-kill", "asterisk-freeze"), (15.0, 40.0)),
)
"""In a storm each hand does its faults one after another, with pauses, and waits for no other."""
