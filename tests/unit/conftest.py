"""Which unit tests are pure: no file, no socket, no process. The rest is marked `io`.

The pure ones run first and take seconds (`make test`); a test module that needs more is named here.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent

WITH_IO = (
    "ami/simulator/test_server.py",
    "ami/simulator/test_session.py",
    "ami/simulator/test_main.py",
    "ami/test_client.py",
    "ami/test_inspection.py",
    "ami/test_transport.py",
    "dialer/api/",
    "dialer/cli/",
    "dialer/delivery/test_connector.py",
    "dialer/delivery/test_sender.py",
    "dialer/store/",
    "dialer/test_app.py",
    "dialer/test_cli.py",
    "dialer/test_demo.py",
    "dialer/test_engine.py",
    "dialer/test_sinks.py",
    "dialer/test_store.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            name = str(item.path.relative_to(HERE))
            if name.startswith(WITH_IO):
                item.add_marker(pytest.mark.io)
