"""The lab as a fixture. A test that takes it is marked `lab`."""

import pytest

from tests.lab.running_lab import Lab, find_lab
from tests.required import skip_unless_required


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab; a named skip without one, a failure where DIALER_LAB_REQUIRED=1."""
    found = find_lab()
    if not isinstance(found, Lab):
        skip_unless_required(found)
    return found
