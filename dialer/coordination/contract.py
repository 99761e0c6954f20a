"""What the parts of the product tell one another: wake-ups, never data.

A wake-up says "look again there"; the truth is in the store. Losing one costs time, never a call,
because the worker also looks when it starts and when another process changed the database.
"""

from collections.abc import Callable
from typing import Protocol


class Listener(Protocol):
    """Who wants to be woken. Called in the event loop; must return at once."""

    def items_added(self, queue_id: int) -> None:
        """A queue got items (it may be new)."""
        ...

    def queue_changed(self, queue_id: int) -> None:
        """A queue's status or retry rules changed."""
        ...

    def configuration_changed(self) -> None:
        """Servers or clients changed, or nobody knows what did."""
        ...


class Signals(Protocol):
    """The sending side. Adapter: `dialer.coordination.local`."""

    def items_added(self, queue_id: int) -> None: ...
    def queue_changed(self, queue_id: int) -> None: ...
    def clients_changed(self) -> None: ...
    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Start waking `listener`; the returned function stops it."""
        ...
