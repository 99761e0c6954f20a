"""`dialer run`: the product on one machine, in one process."""

from pathlib import Path
from typing import Annotated

import typer

from dialer.backends import Role
from dialer.cli.process import run_process


def run(
    record: Annotated[
        Path | None,
        typer.Option(help="Folder for traces of the AMI sessions (DIALER_RECORD_DIR)."),
    ] = None,
) -> None:
    """Run API, worker and delivery together until SIGTERM or Ctrl-C.

    A first signal starts no new calls and waits for the live ones (DIALER_DRAIN_TIMEOUT seconds);
    a second one ends at once. What is left is taken over by the next start.

    Example: DIALER_SUPERUSER_API_KEY=… dialer run
    """
    run_process(Role.RUN, **({} if record is None else {"record_dir": record}))
