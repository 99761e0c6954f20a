"""Which unit tests are pure: no file, no socket, no process. The rest is marked `io`.

The pure ones run first and take seconds (`make test`); a test module that needs more is named here.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent

WITH_IO = (
    "ami/simulator/test_faults.py",
    "ami/simulator/test_playback.py",
    "ami/simulator/test_server.py",
    "ami/simulator/test_session.py",
    "ami/simulator/test_main.py",
    "ami/test_client.py",
    "ami/test_inspection.py",
    "ami/test_transport.py",
    "dialer/api/",
    "dialer/cli/",
    "dialer/coordination/test_connection.py",
    "dialer/coordination/test_redis.py",
    "dialer/coordination/test_session.py",
    "dialer/coordination/test_signals.py",
    "dialer/delivery/test_connector.py",
    "dialer/delivery/test_sender.py",
    "dialer/store/",
    "dialer/test_app.py",
    "dialer/test_cli.py",
    "dialer/test_demo.py",
    "dialer/test_engine.py",
    "dialer/test_failpoints.py",
    "dialer/test_signing_key.py",
    "dialer/test_sinks.py",
    "dialer/test_store.py",
)


def needs_io(path: Path) -> bool:
    name = str(path.relative_to(HERE)) + ("/" if path.is_dir() else "")
    return name.startswith(WITH_IO)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only pure tests are wanted the others are not even imported."""
    pure_only = config.getoption("markexpr") == "not io"
    return True if pure_only and needs_io(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and needs_io(item.path):
            item.add_marker(pytest.mark.io)
