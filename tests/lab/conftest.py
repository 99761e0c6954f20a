"""The lab as a fixture. A test that takes it is marked `lab`; here all run by real clocks."""

from pathlib import Path

import pytest

from tests.lab.running_lab import Lab, find_lab
from tests.required import skip_unless_required


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.realtime)


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab; a named skip without one, a failure where DIALER_LAB_REQUIRED=1."""
    found = find_lab()
    if not isinstance(found, Lab):
        skip_unless_required(found)
    return found
