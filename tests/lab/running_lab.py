"""The lab that runs on this machine: where it is, and whether it answers."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE

SECRET = "dialer-lab"
PROJECT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Server:
    """One Asterisk of the lab and the AMI user for it."""

    code: str
    port: int
    username: str
    host: str = "127.0.0.1"
    secret: str = SECRET


@dataclass(frozen=True, slots=True)
class Lab:
    """Two PBXs to drive, and the carrier with its record of every call."""

    run_folder: Path
    pbx1: Server = Server("pbx1", 15038, "dialer")
    pbx2: Server = Server("pbx2", 15039, "dialer")
    carrier: Server = Server("carrier", 15040, "observer")

    @property
    def carrier_log(self) -> Path:
        return self.run_folder / "carrier" / "log" / "calls.log"


def answers(server: Server) -> bool:
    """Does an AMI banner come from there?"""
    try:
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as connection:
            return connection.recv(64).startswith(b"Asterisk Call Manager/")
    except OSError:
        return False


def find_lab() -> Lab | str:
    """The lab, or the one sentence that says why there is none."""
    lab = Lab(Path(os.environ.get("DIALER_LAB_DIR", PROJECT / ".lab")))
    for server in (lab.pbx1, lab.pbx2, lab.carrier):
        if not answers(server):
            return f"lab: no Asterisk at {server.host}:{server.port} (make lab-up)"
    if not lab.carrier_log.exists():
        return f"lab: no carrier's log at {lab.carrier_log} (DIALER_LAB_DIR: the lab's run folder)"
    return lab


def is_required() -> bool:
    """May tests on the lab not be skipped?"""
    return os.environ.get("DIALER_LAB_REQUIRED") == "1"
