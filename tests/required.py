"""What a test needs of the machine: without it the test is skipped by name, or fails."""

from typing import NoReturn

import pytest

from tests.lab.running_lab import is_required


def skip_unless_required(reason: str) -> NoReturn:
    """Skip the test; where DIALER_LAB_REQUIRED=1 nothing may be missing, and it fails."""
    if is_required():
        pytest.fail(reason)
    pytest.skip(reason)
