"""Wake-ups inside one process: direct calls."""

from collections.abc import Callable

from dialer.coordination.contract import Listener


class LocalSignals:
    """Passes every wake-up to all listeners at once, in the order of their subscription."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def items_added(self, queue_id: int) -> None:
        for listener in tuple(self._listeners):
            listener.items_added(queue_id)

    def queue_changed(self, queue_id: int) -> None:
        for listener in tuple(self._listeners):
            listener.queue_changed(queue_id)

    def clients_changed(self) -> None:
        for listener in tuple(self._listeners):
            listener.configuration_changed()
