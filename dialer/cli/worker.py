"""`dialer worker`: dialing in a process of its own."""

from pathlib import Path
from typing import Annotated

import typer

from dialer.backends import Role
from dialer.cli.process import run_process


def worker(
    record: Annotated[
        Path | None,
        typer.Option(help="Folder for traces of the AMI sessions (DIALER_RECORD_DIR)."),
    ] = None,
) -> None:
    """Dial alone, over PostgreSQL and Redis; any number of these share the Asterisk servers.

    SIGTERM hands the servers with their live calls to the other workers. Where there is none it
    waits for the live calls (DIALER_DRAIN_TIMEOUT seconds); a second signal ends at once.

    Example: DIALER_HEALTH_PORT=8081 dialer worker
    """
    run_process(Role.WORKER, **({} if record is None else {"record_dir": record}))
