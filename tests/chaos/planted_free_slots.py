"""`dialer.cli` with a planted bug: slots and turns of clients are granted without asking, as if
each worker were alone. Used by tests/chaos/test_cluster_campaign.py."""

from collections.abc import Sequence
from math import inf

from dialer.cli import main as run
from dialer.coordination.contract import SlotWish, Turn, Verdict
from dialer.coordination.redis import RedisCoordinator


async def take(coordinator: RedisCoordinator, wish: SlotWish) -> Verdict:
    return Verdict.GRANTED


async def turn(coordinator: RedisCoordinator, client_id: int, max_cps: float | None) -> Turn | None:
    return Turn(-inf, inf)


def main(arguments: Sequence[str] | None = None) -> int:
    RedisCoordinator.take = take  # type: ignore[method-assign,assignment]
    RedisCoordinator.turn = turn  # type: ignore[method-assign,assignment]
    return run(arguments)
