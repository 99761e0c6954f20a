"""Both receivers are in trouble: they refuse, hang, reset, answer 500, or lose their answers."""

import asyncio
from typing import Final

from chaos import database
from chaos.faults.bad_sinks import Mood, serve_bad_sinks
from chaos.faults.course import Fault, Ordeal
from chaos.scene import Options

TROUBLES: Final = tuple(mood for mood in Mood if mood is not Mood.WELL)


async def inflict(ordeal: Ordeal) -> None:
    """Each trouble in its turn, for as long as all; calls go on meanwhile."""
    scene = ordeal.scene
    for mood in TROUBLES:
        scene.sinks.ask(mood.value)
        before, seen = ordeal.sent(), scene.sinks.ask("seen")
        await asyncio.sleep(ordeal.seconds / len(TROUBLES))
        left = await asyncio.to_thread(database.count_unfinished, scene.database)
        ordeal.notes.append(
            f"{mood}: {ordeal.sent() - before} calls started, {scene.sinks.ask('seen') - seen}"
            f" connections to the sinks, {left['deliveries']} deliveries wait"
        )
        ordeal.expect(ordeal.sent() > before, f"no calls while the sinks were {mood}")
    scene.sinks.ask(Mood.WELL.value)


SICK_SINKS: Final = Fault(
    name="sinks",
    what="callback URL and SGAPI refuse, hang, reset, answer 500, lose their answers",
    inflict=inflict,
    brief=10.0,
    full=150.0,
    options=Options(kills=0, channels=120, cps=10.0, scale=0.1, patience=900.0),
    sinks=serve_bad_sinks,
)
"""What failed for so long is tried again 120 s after its third failure, 600 s after its fourth."""
