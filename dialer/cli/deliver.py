"""`dialer deliver`: callbacks and SGAPI in a process of its own."""

from dialer.backends import Role
from dialer.cli.process import run_process


def deliver() -> None:
    """Deliver alone, over PostgreSQL and Redis; any number of these share what is due.

    Example: DIALER_HEALTH_PORT=8082 dialer deliver
    """
    run_process(Role.DELIVER)
