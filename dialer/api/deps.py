"""What the API is built from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fastapi import Request

from dialer.clock import Clock
from dialer.coordination.contract import Signals
from dialer.delivery.sgapi import SgapiTarget
from dialer.ids import Ids
from dialer.settings import Settings
from dialer.store.contract import CloseItem, Delivery, Store


def _ready() -> dict[str, bool]:
    return {}


def _alone() -> int:
    return 1


def _leave(deliveries: Sequence[Delivery]) -> None:
    """They are found in the store."""


@dataclass(frozen=True, slots=True)
class ApiDeps:
    """`readiness` names the parts that must be there and whether each is (an open store, the
    worker); `close_item` makes the closing callback of an item that a client ends; `offer` tells a
    deliverer of this process what was just stored for `sgapi`; `processes`: how many serve the API,
    this one included."""

    store: Store
    settings: Settings
    clock: Clock
    ids: Ids
    signals: Signals
    close_item: CloseItem
    readiness: Callable[[], dict[str, bool]] = field(default=_ready)
    sgapi: SgapiTarget | None = None
    offer: Callable[[Sequence[Delivery]], None] = field(default=_leave)
    processes: Callable[[], int] = field(default=_alone)

    def share(self, limit: int) -> int:
        """This process' part of a limit of requests that all API processes keep together."""
        return max(1, limit // self.processes()) if limit else limit


def deps_of(request: Request) -> ApiDeps:
    """The `ApiDeps` that the application was made with."""
    deps: ApiDeps = request.app.state.deps
    return deps
