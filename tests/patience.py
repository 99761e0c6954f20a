"""How long a test waits for something that should come."""

from typing import Final

PATIENCE: Final = 120.0
"""Seconds after which a test says that it does not come. Machines stand still for seconds, and
where many share one, a process takes ten to start. A test that passes waits for the event, never
for this, which only bounds one that fails. What should not come is no matter of patience, and has
bounds of its own."""
