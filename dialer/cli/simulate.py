"""`dialer simulate`: a scenario or a trace as an Asterisk that speaks AMI."""

import asyncio
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from ami.simulator import AmiUser, Course, Courses, Simulator, SimulatorConfig
from ami.trace import TraceError
from dialer.cli.replay import parse_speed, write_count
from dialer.errors import SettingsError
from dialer.replay.courses import read_courses
from dialer.replay.sessions import open_sessions
from dialer.scenarios import read_scenario

TOY: Final = AmiUser()
FASTEST: Final = 1000.0
"""What `--speed max` is here: a server that tells all at once is none that can be followed."""


def simulate(
    scenario: Annotated[
        Path | None, typer.Option(help="A file that says what happens, by number and weight.")
    ] = None,
    trace: Annotated[
        list[Path] | None, typer.Option(help="A recorded Asterisk; may be given several times.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 5038,
    user: Annotated[str, typer.Option(help="The AMI user that may log in.")] = TOY.name,
    secret: Annotated[str, typer.Option(help="Its secret, that of a toy.")] = TOY.secret,
    seed: Annotated[int, typer.Option(help="Of chance: the same one, the same calls.")] = 0,
    speed: Annotated[str, typer.Option(help="Of a trace. 10: ten times as fast; max.")] = "1",
) -> None:
    """Be an Asterisk: play a scenario or a trace to a live dialer, until it is interrupted.

    Example: dialer simulate --scenario examples/evening.toml --port 5038 --seed 7
    """
    if (scenario is None) == (not trace):
        raise SettingsError("give either --scenario FILE or --trace FILE")
    if scenario is not None and speed != "1":
        raise SettingsError("--speed is of a trace: a scenario's [server] has scale")
    if scenario is not None:
        simulator = Simulator(with_user(read_scenario(scenario, seed), user, secret))
    else:
        config = with_user(SimulatorConfig(seed=seed), user, secret)
        simulator = Simulator(config, open_courses(trace or []), parse_speed(speed) or FASTEST)
    asyncio.run(serve(simulator, host, port, user))
    show_calls(simulator)


def with_user(config: SimulatorConfig, user: str, secret: str) -> SimulatorConfig:
    """That user alone; what a trace holds is what its own user's filter let through."""
    return replace(config, users=(AmiUser(user, secret, events=None),))


def open_courses(traces: list[Path]) -> Courses:
    """The recorded calls of all files. Says which cannot be played; SettingsError without any."""
    courses: list[Course] = []
    skipped = others = 0
    try:
        for session in open_sessions(traces):
            recorded = read_courses(session)
            courses += recorded.courses
            skipped += recorded.skipped
            others += recorded.others
            for problem in session.problems:
                typer.echo(f"not read: {problem}", err=True)
    except TraceError as error:
        raise SettingsError(str(error)) from error
    if skipped:
        typer.echo(
            f"not played, there in part or ended by a restart: {write_count(skipped, 'call')}",
            err=True,
        )
    if others:
        calls = write_count(others, "call")
        typer.echo(f"not played, of nobody over AMI: {calls}", err=True)
    if not courses:
        raise SettingsError("no call in there that can be played")
    typer.echo(write_count(len(courses), "recorded call"))
    return Courses(courses)


async def serve(simulator: Simulator, host: str, port: int, user: str) -> None:
    """Until SIGINT or SIGTERM. SettingsError where the port is taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await simulator.start(host, port)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    typer.echo(f"simulated Asterisk on {host}:{simulator.port}, AMI user {user}")
    try:
        await stop.wait()
    finally:
        await simulator.stop()


def show_calls(simulator: Simulator) -> None:
    """What came, and what became of it."""
    counters = simulator.counters
    typer.echo(f"{counters.originates} originates, at most {counters.most_calls} calls at a time")
    for word, count in Counter(call.did for call in simulator.calls).most_common():
        typer.echo(f"{count:>8} {word}")
