"""What stands around the lives of a campaign, and outlives them: witnesses, the client, the
database; how a campaign begins, and how its last life is brought to its end."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import httpx

from chaos import database
from chaos.far_ends import serve_simulator, serve_sinks
from chaos.lives import Life, Nursery, clean_environment
from chaos.loading import Account, Calls, Loader
from chaos.plan import Fate, LifePlan
from chaos.records import Evidence, Kill, Probe
from chaos.report import COUNTED
from chaos.wire import read_wire
from chaos.wire import serve as serve_wire
from chaos.witness_process import Serve, Witness, run_witness
from dialer.failpoints import CONSENT, SEED, VARIABLE

SUPERUSER: Final = "superuser-key-of-a-campaign"
SECRET: Final = "CHAOS_AMI_SECRET"

BACKLOG: Final = 120
"""Items that wait at least, while there are kills to come."""

LOOK: Final = 0.1
"""Seconds between two looks of the campaign's at what changes by itself."""

PROBE: Final = 4.0
"""Seconds without one more call at a time, after which no more will come."""

READY: Final = 30.0
"""Seconds that a life gets to be ready, after which the campaign ends with its log."""


class FarEnd(Protocol):
    """The Asterisk that is dialed through, and what its far side saw."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def username(self) -> str: ...
    @property
    def secret(self) -> str: ...
    @property
    def onlooker(self) -> str:
        """The AMI user of the witness's own session, with the same secret."""

    def rang(self, prefix: str) -> tuple[str, ...]:
        """Numbers that begin with `prefix`, once for every call that came."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """The simulator, in a process of its own."""

    witness: Witness
    host: str = "127.0.0.1"
    username: str = "dialer"
    secret: str = "dialer-lab"
    onlooker: str = "dialer"

    @property
    def port(self) -> int:
        port: int = self.witness.hello
        return port

    def rang(self, prefix: str) -> tuple[str, ...]:
        return tuple(number for number in self.witness.ask("rang") if number.startswith(prefix))


@dataclass(frozen=True, slots=True)
class Options:
    """`kills` that count are wanted, within `longest` seconds. `channels` is the larger client's
    share; `cps` calls a second are started; `talk` and `scale` make a call's length (the simulator
    multiplies by scale, a real Asterisk does not)."""

    kills: int
    seed: int = 1
    longest: float = 3600.0
    channels: int = 400
    cps: float = 60.0
    talk: str = "30"
    scale: float = 0.2
    points: tuple[str, ...] | None = None
    stop_every: int = 25
    longest_stop: float = 30.0
    cut_every: int = 7
    fresh_every: int = 20
    entry: str = "dialer.cli"
    patience: float = 240.0
    in_flight: int = COUNTED


@dataclass(slots=True)
class Outcome:
    evidence: Evidence
    seconds: float
    lives: int
    starts: list[float]
    repeated_batches: int
    failed_batches: list[str]


@dataclass(slots=True)
class Scene:
    """What stands around the lives: it survives all of them. `extra`: settings beside its own;
    `disk`: where the dialer's database and log are, where that is not `folder`;
    `eager`: the client loads however much waits; `stops`: from when to when a life was stopped
    (SIGSTOP)."""

    folder: Path
    options: Options
    far_end: FarEnd
    wire: Witness
    sinks: Witness
    nursery: Nursery
    tell: Callable[[str], None]
    extra: Mapping[str, str] = field(default_factory=dict)
    disk: Path | None = None
    eager: bool = False
    loader: Loader = field(init=False)
    kills: list[Kill] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    stops: list[tuple[float, float]] = field(default_factory=list)
    lives: int = 0
    counted: int = 0

    @property
    def database(self) -> Path:
        return (self.disk or self.folder) / "dialer.db"

    @property
    def log(self) -> Path:
        return (self.disk or self.folder) / "dialer.log"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "DIALER_DATABASE_URL": f"sqlite+aiosqlite:///{self.database}",
            "DIALER_HTTP_PORT": "0",
            "DIALER_SUPERUSER_API_KEY": SUPERUSER,
            "DIALER_CALLBACK_ALLOW_PRIVATE": "true",
            "DIALER_SGAPI_URL": self.sinks.hello[1],
            "DIALER_DRAIN_TIMEOUT": "20",
            SECRET: self.far_end.secret,
            **self.extra,
        }

    async def command(self, *arguments: str) -> None:
        """`dialer ARGUMENTS`. Raises when it fails."""
        process = await self.nursery.bear(clean_environment(self.settings), arguments)
        if await process.ended:
            raise RuntimeError(f"dialer {' '.join(arguments)}: see {self.log}")

    def in_flight(self) -> int:
        live: int = self.wire.ask("count")[1]
        return live

    def is_hungry(self) -> bool:
        sent: int = self.wire.ask("count")[0]
        return self.eager or len(self.loader.accepted) - sent < BACKLOG


@asynccontextmanager
async def set_scene(
    folder: Path,
    options: Options,
    far_end: FarEnd | None = None,
    tell: Callable[[str], None] = lambda _: None,
    sinks: Serve = serve_sinks,
    extra: Mapping[str, str] | None = None,
    disk: Path | None = None,
    simulator: Serve = serve_simulator,
) -> AsyncIterator[Scene]:
    """Witnesses and a nursery, until the block is left. `sinks` says (callbacks, SGAPI) and answers
    as `serve_sinks` does."""
    async with AsyncExitStack() as stack:
        log = (disk or folder) / "dialer.log"
        nursery = await stack.enter_async_context(Nursery(options.entry, log))
        receivers = stack.enter_context(run_witness(sinks))
        asterisk = far_end or Simulated(stack.enter_context(run_witness(simulator, options.scale)))
        wire = stack.enter_context(
            run_witness(
                *(serve_wire, str(folder / "wire.jsonl"), asterisk.host, asterisk.port),
                *(asterisk.onlooker, asterisk.secret),
            )
        )
        yield Scene(folder, options, asterisk, wire, receivers, nursery, tell, extra or {}, disk)


async def prepare(scene: Scene) -> tuple[Account, ...]:
    """A first life, which nobody harms: the server, two clients, and calls until enough are in
    flight. It is killed like all others."""
    options = scene.options
    calls = Calls("pbx1", f"7{int(time.time()) % 10_000_000:07d}", options.talk)
    scene.loader = Loader(calls, (), scene.is_hungry, options.seed)
    life = await start_ready(scene)
    url = life.ready.result()
    await scene.command(
        *("servers", "add", "pbx1", "--host", "127.0.0.1", "--port", str(scene.wire.hello)),
        *("--username", scene.far_end.username, "--secret-env", SECRET),
    )
    callbacks = scene.sinks.hello[0]
    accounts = (
        await add_account(url, callbacks, Account("acme", "", options.channels, 1, 4)),
        await add_account(url, callbacks, Account("beta", "", options.channels // 4, 0, 1)),
    )
    await set_cps(scene, {a.name: options.cps * a.share / 5 for a in accounts})
    scene.loader.accounts = accounts
    scene.nursery.send(life, signal.SIGKILL)
    await life.ended
    scene.loader.url = None
    return accounts


async def add_account(url: str, callbacks: str, account: Account) -> Account:
    """Make it through the API at `url`, with callbacks under that address; with its key."""
    async with httpx.AsyncClient(timeout=30.0) as http:
        answer = await http.post(
            f"{url}/clients/",
            headers={"Authorization": f"Bearer {SUPERUSER}"},
            json={
                "name": account.name,
                "accountcode": account.name,
                "username": account.name,
                "allocated_channels": account.channels,
                "callbackurl": f"{callbacks}/{account.name}",
            },
        )
    answer.raise_for_status()
    return replace(account, key=answer.json()["api_key"])


async def set_cps(scene: Scene, rates: dict[str, float]) -> None:
    for name, rate in rates.items():
        await scene.command("clients", "set", name, "--cps", str(rate))


async def start_life(scene: Scene, plan: LifePlan) -> Life:
    scene.lives += 1
    settings = dict(scene.settings)
    if plan.rule is not None:
        settings[VARIABLE] = plan.rule
        settings[CONSENT] = settings["DIALER_DATABASE_URL"]
        settings[SEED] = str(scene.options.seed)
    return await scene.nursery.bear(clean_environment(settings), fresh=plan.fresh)


async def start_ready(scene: Scene, *, fresh: bool = False) -> Life:
    """A life that is ready, and that the client loads into. Raises when it does not get so far."""
    born = time.monotonic()
    life = await start_life(scene, LifePlan(Fate.TIME, 0.0, fresh=fresh))
    done, _ = await asyncio.wait(
        (life.ready, life.ended), timeout=READY, return_when=asyncio.FIRST_COMPLETED
    )
    if life.ready not in done:
        raise RuntimeError(f"a life did not get ready: see {scene.log}")
    scene.starts.append(time.monotonic() - born)
    scene.loader.url = life.ready.result()
    return life


async def finish(
    scene: Scene, life: Life, accounts: tuple[Account, ...], loading: "asyncio.Task[None]"
) -> tuple[Probe, int]:
    """With a last life that nobody harms: everything ends, then every slot is used at once, then it
    is asked to end; its exit status. One that does not come so far is killed: the checker tells."""
    probe = Probe(sum(account.channels for account in accounts), 0)
    try:
        async with asyncio.timeout(scene.options.patience):
            await loading
            await set_cps(scene, {account.name: 1000.0 for account in accounts})
            await until_finished(scene, "items", "attempts")
            probe = await probe_slots(scene, accounts)
            await until_finished(scene, "items", "attempts", "deliveries")
            scene.nursery.send(life, signal.SIGTERM)
            return probe, await life.ended
    except TimeoutError:
        scene.nursery.send(life, signal.SIGKILL)
        return probe, await life.ended


async def until_finished(scene: Scene, *names: str) -> None:
    """Wait until nothing of `names` is left."""
    said = time.monotonic()
    while True:
        counts = await asyncio.to_thread(database.count_unfinished, scene.database)
        left = {name: counts[name] for name in names if counts[name]}
        if not left:
            return
        if time.monotonic() - said > 10.0:
            said = time.monotonic()
            scene.tell(f"left: {left}")
        await asyncio.sleep(LOOK)


async def probe_slots(scene: Scene, accounts: tuple[Account, ...]) -> Probe:
    """Give every client as many calls as it has channels, as fast as they go: how many calls were
    live at once."""
    wanted = sum(account.channels for account in accounts)
    for account in accounts:
        await scene.loader.load_talk(account, account.channels)
    most, until = 0, time.monotonic() + PROBE
    while most < wanted and time.monotonic() < until:
        if (live := scene.in_flight()) > most:
            most, until = live, time.monotonic() + PROBE
        await asyncio.sleep(LOOK / 5)
    return Probe(wanted, most)


def collect(
    scene: Scene, accounts: tuple[Account, ...], probe: Probe, status: int, started: float
) -> Outcome:
    """All that was seen; `started` was the monotonic time when the campaign began."""
    evidence = Evidence(
        accepted=tuple(scene.loader.accepted),
        wire=read_wire(scene.folder / "wire.jsonl", scene.wire.ask("most live")),
        rang=scene.far_end.rang(scene.loader.calls.prefix),
        callbacks=scene.sinks.ask("callbacks"),
        sgapi=scene.sinks.ask("sgapi"),
        rows=database.read_rows(scene.database),
        kills=tuple(scene.kills),
        cuts=tuple(scene.cuts),
        probe=probe,
        live_at_end=scene.in_flight(),
        cap=sum(account.channels for account in accounts),
        exit_status=status,
        disturbed=tuple(scene.stops),
    )
    return Outcome(
        evidence=evidence,
        seconds=time.monotonic() - started,
        lives=scene.lives,
        starts=scene.starts,
        repeated_batches=scene.loader.repeated,
        failed_batches=scene.loader.failed,
    )
