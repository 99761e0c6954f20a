"""An Asterisk of a campaign's own, which may be stopped, killed and frozen.

It runs from the lab's Debian root folder with the lab's configuration, on ports of its own: PBXs,
which are harmed, and a carrier, which is not and notes every call. Root is needed, as for the lab.
"""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.carrier_log import read_calls
from tests.lab.raw_ami import RawAmi

PROJECT: Final = Path(__file__).parents[2]
CONF: Final = PROJECT / "asterisk-conf"
USER: Final = "dialer"
ONLOOKERS: Final = {"pbx1": "unfiltered", "pbx2": "unfiltered", "carrier": "observer"}
"""Of each server the AMI user that only looks on."""

SECRET: Final = "dialer-lab"
PATIENCE: Final = 60.0
"""Seconds that an Asterisk gets to boot, or to end."""

_ENTER: Final = 'source "$1/processes.bash"; shift; enter_root "$@"'
_AMI: Final = {"pbx1": "15038", "pbx2": "15039", "carrier": "15040"}
_SIP: Final = {"pbx1": "15060", "pbx2": "15061", "carrier": "15062"}
_RTP: Final = {
    "pbx1": (("20000", "5200"), ("24999", "9999")),
    "pbx2": (("25000", "10000"), ("29999", "14999")),
    "carrier": (("30000", "15100"), ("39999", "19999")),
}


def find_root() -> Path | str:
    """The lab's Debian root folder, or the sentence that says why no Asterisk can be started."""
    if os.geteuid() != 0:
        return "an Asterisk of a campaign's own needs root"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(os.environ.get("AMI_DIALER_CACHE") or Path(cache) / "ami-dialer") / "debian-root"
    if not (root / "usr/sbin/asterisk").exists():
        return f"no Asterisk in {root} (make lab-up makes it)"
    return root


@dataclass(frozen=True, slots=True)
class Ports:
    """Of one Asterisk, on 127.0.0.1."""

    ami: int
    sip: int


def _free_ports() -> Ports:
    """Two that nobody has now; SIP is UDP."""
    with (
        socket.socket() as ami,
        socket.socket(type=socket.SOCK_DGRAM) as sip,
    ):
        for one in (ami, sip):
            one.bind(("127.0.0.1", 0))
        return Ports(ami.getsockname()[1], sip.getsockname()[1])


def write_configuration(folder: Path, ports: Mapping[str, Ports]) -> None:
    """The lab's configuration with other ports, below `folder`; `ports` by the server's name."""
    for name in (*ports, "shared"):
        for source in sorted((CONF / name).iterdir()):
            text = source.read_text(encoding="utf-8")
            for server, its in ports.items():
                text = text.replace(f"127.0.0.1:{_SIP[server]}", f"127.0.0.1:{its.sip}")
                text = text.replace(f"port = {_AMI[server]}", f"port = {its.ami}")
            if source.name == "rtp.conf":
                for lab, own in _RTP[name]:
                    text = text.replace(lab, own)
            target = folder / name / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


class Asterisk:
    """One process, started, harmed and started again; `name` is that of its configuration."""

    def __init__(self, name: str, root: Path, folder: Path, ports: Ports) -> None:
        self.name, self.ports = name, ports
        self._root, self._folder = root, folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def run_folder(self) -> Path:
        return self._folder / "run" / self.name

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Returns when it listens to AMI and is fully booted. Raises when it does not."""
        self._make_folders()
        with (self.run_folder / "log" / "console.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("unshare", "--mount", "bash", "-euc", _ENTER, "enter", str(PROJECT / "lab")),
                *(self.name, str(self._root), str(self._folder / "run")),
                str(self._folder / "conf"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await self.booted()

    def _make_folders(self) -> None:
        passwd = (self._root / "etc/passwd").read_text(encoding="utf-8").splitlines()
        uid, gid = next(line.split(":")[2:4] for line in passwd if line.startswith("asterisk:"))
        run = self._folder / "run"
        for folder in (run / self.name, *(run / self.name / n for n in ("log", "spool", "cache"))):
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, int(uid), int(gid))
        hosts = f"127.0.0.1 localhost {socket.gethostname()}\n"
        (run / "hosts").write_text(hosts, encoding="utf-8")

    async def booted(self) -> None:
        """Waits until it is. Raises when it ended, or after PATIENCE."""
        async with asyncio.timeout(PATIENCE):
            while not await self._is_booted():
                if not self.alive:
                    raise RuntimeError(f"{self.name} ended while it started: {self.run_folder}/log")
                await asyncio.sleep(0.05)

    async def _is_booted(self) -> bool:
        try:
            async with await RawAmi.connect("127.0.0.1", self.ports.ami) as session:
                async with asyncio.timeout(10.0):
                    return (await session.login(ONLOOKERS[self.name], SECRET))[
                        "Response"
                    ] == "Success"
        except (OSError, TimeoutError):
            return False

    async def order(self, command: str) -> str:
        """Give a command on the console; what it printed. Raises OSError where nobody listens."""
        folder = os.open(self.run_folder, os.O_PATH)
        try:  # a socket's own path has 108 bytes at most
            path = f"/proc/self/fd/{folder}/asterisk.ctl"
            reader, writer = await asyncio.open_unix_connection(path)
        finally:
            os.close(folder)
        writer.write(b"cli quit after " + command.encode() + b"\0")
        try:
            async with asyncio.timeout(PATIENCE):
                return (await reader.read()).decode(errors="replace")
        except ConnectionError:
            return ""  # it ended, as it was told to
        finally:
            writer.close()

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Gives a function that waits until the Asterisk that runs now is gone."""
        async with await RawAmi.connect("127.0.0.1", self.ports.ami) as session:
            await session.login(ONLOOKERS[self.name], SECRET)
            yield lambda: session.until(lambda it: it.closed, PATIENCE)

    def send(self, number: signal.Signals) -> None:
        """Signal it; nothing happens when it is over."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Waits for the end of the process; its status. Raises TimeoutError."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()

    async def kick(self, username: str) -> int:
        """End the AMI sessions of a user; how many there were."""
        lines = (await self.order("manager show connected")).splitlines()
        rows = [line.split() for line in lines]
        descriptors = [row[4] for row in rows if len(row) > 4 and row[0] == username]
        for descriptor in descriptors:
            await self.order(f"manager kick session {descriptor}")
        return len(descriptors)

    async def end(self) -> None:
        """By force: nothing of it is wanted any more."""
        if self.alive:
            self.send(signal.SIGKILL)
            await self.ended()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A PBX to harm and the carrier behind it, as `chaos.scene.FarEnd` wants them."""

    pbx: Asterisk
    carrier: Asterisk
    host: str = "127.0.0.1"
    username: str = USER
    secret: str = SECRET

    @property
    def onlooker(self) -> str:
        return ONLOOKERS[self.pbx.name]

    @property
    def port(self) -> int:
        return self.pbx.ports.ami

    def rang(self, prefix: str) -> tuple[str, ...]:
        calls = read_calls(self.carrier.run_folder / "log" / "calls.log")
        return tuple(call.number for call in calls if call.number.startswith(prefix))


@asynccontextmanager
async def run_asterisks(
    root: Path, folder: Path, *names: str
) -> AsyncIterator[Mapping[str, Asterisk]]:
    """Start those of these names one after the other, below `folder`, and end them on leaving."""
    ports = {name: _free_ports() for name in names}
    write_configuration(folder / "conf", ports)
    made = {name: Asterisk(name, root, folder, ports[name]) for name in names}
    async with AsyncExitStack() as stack:
        for each in made.values():
            stack.push_async_callback(each.end)
            await each.start()
        yield made
        shutil.rmtree(folder / "conf")


@asynccontextmanager
async def run_exchange(root: Path, folder: Path) -> AsyncIterator[Exchange]:
    """A PBX and its carrier."""
    async with run_asterisks(root, folder, "carrier", "pbx2") as made:
        yield Exchange(made["pbx2"], made["carrier"])
