"""What all tests share: no time limits inside property tests, no settings of the user's shell, and
logging left as it was found."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import standstill

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

# A shared machine may stall for a second; that says nothing about the code under test. Fewer than
# Hypothesis' usual number of examples keeps the pure tests under ten seconds.
settings.register_profile("project", deadline=None, max_examples=20)
settings.load_profile("project")


def pytest_configure() -> None:
    """Tests see only the DIALER_ variables that they set themselves."""
    for name in list(os.environ):
        if name.startswith("DIALER_") and not name.startswith("DIALER_LAB_"):
            del os.environ[name]


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    return standstill.run_marked(item, nextitem)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    standstill.tell(terminalreporter)


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """A command under test configures logging for its process, which here is everybody's."""
    root = logging.getLogger()
    handlers, level, last_resort = root.handlers[:], root.level, logging.lastResort
    hooks = warnings.showwarning, threading.excepthook, sys.unraisablehook
    yield
    if root.handlers != handlers:
        root.handlers[:], root.level = handlers, level
    logging.lastResort = last_resort
    warnings.showwarning, threading.excepthook, sys.unraisablehook = hooks


@pytest.fixture(scope="session")
def postgres() -> "Iterator[PostgresServer]":
    """A real PostgreSQL, for as long as the tests run; each takes a database of its own there."""
    from tests.postgres_server import run_postgres

    with run_postgres() as server:
        yield server
