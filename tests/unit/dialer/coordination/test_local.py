"""Wake-ups inside one process reach every listener, until it unsubscribes."""

from dialer.coordination.local import LocalSignals


class Ear:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def items_added(self, queue_id: int) -> None:
        self.heard.append(("items", queue_id))

    def queue_changed(self, queue_id: int) -> None:
        self.heard.append(("queue", queue_id))

    def configuration_changed(self) -> None:
        self.heard.append("configuration")


def test_wake_ups_reach_all_listeners() -> None:
    signals, one, two = LocalSignals(), Ear(), Ear()
    signals.subscribe(one)
    stop = signals.subscribe(two)
    signals.items_added(7)
    signals.queue_changed(8)
    stop()
    signals.clients_changed()
    assert one.heard == [("items", 7), ("queue", 8), "configuration"]
    assert two.heard == [("items", 7), ("queue", 8)]
