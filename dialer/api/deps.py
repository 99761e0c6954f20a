"""What the API is built from."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from dialer.clock import Clock
from dialer.coordination.contract import Signals
from dialer.ids import Ids
from dialer.settings import Settings
from dialer.store.contract import CloseItem, Store


def _ready() -> dict[str, bool]:
    return {}


@dataclass(frozen=True, slots=True)
class ApiDeps:
    """`readiness` names the parts that must be there and whether each is (an open store, the
    worker); `close_item` makes the closing callback of an item that a client ends."""

    store: Store
    settings: Settings
    clock: Clock
    ids: Ids
    signals: Signals
    close_item: CloseItem
    readiness: Callable[[], dict[str, bool]] = field(default=_ready)


def deps_of(request: Request) -> ApiDeps:
    """The `ApiDeps` that the application was made with."""
    deps: ApiDeps = request.app.state.deps
    return deps
