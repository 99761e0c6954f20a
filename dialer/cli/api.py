"""`dialer api`: the HTTP API in a process of its own."""

from dialer.backends import Role
from dialer.cli.process import run_process


def api() -> None:
    """Serve the HTTP API alone, over PostgreSQL and Redis; any number of these may run.

    Example: dialer api
    """
    run_process(Role.API)
