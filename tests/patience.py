"""How long a test waits for something that should come."""

from typing import Final

PATIENCE: Final = 60.0
"""Seconds after which a test says that it does not come. Machines stand still for seconds, and are
shared: a test that passes waits for the event, never for this; it only bounds one that fails. What
should not come is no matter of patience, and has bounds of its own."""
