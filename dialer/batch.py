"""From a parsed batch to items ready to be stored, with every error of every item. Pure: the
servers and the source of ids are arguments.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dialer.bodies import Parsed
from dialer.errors import FieldError
from dialer.items import ItemMaker
from dialer.phrases import REQUIRED
from dialer.steps import Steps, finish
from dialer.store.contract import Client, NewItem


def build_batch(
    parsed: Parsed,
    client: Client,
    servers: Mapping[str, int],
    new_id: Callable[[], str],
) -> list[NewItem]:
    """All items of a batch at once; raises `Refused` with every error of the batch."""
    return finish(BatchBuilder(parsed, client, servers, new_id).steps())


class BatchBuilder:
    """Builds a batch item by item, so that an event loop can do other work between them."""

    def __init__(
        self,
        parsed: Parsed,
        client: Client,
        servers: Mapping[str, int],
        new_id: Callable[[], str],
    ) -> None:
        self._data: list[dict[str, Any]] = parsed.content["data"]
        self._maker = ItemMaker(client, servers, new_id, parsed)
        self._dids: tuple[str, ...] = tuple(parsed.content.get("dids") or ())
        self._next_did = 0
        if parsed.content.get("batch_id") is None:
            self._maker.note(FieldError("batch_id", REQUIRED))
        for did in self._dids:
            self._maker.check_caller_id(did, "dids", None)

    def steps(self) -> Steps[list[NewItem]]:
        """The items, in order; `Refused` with every error of the batch, in the order of its
        items."""
        items: list[NewItem] = []
        for index, entry in enumerate(self._data):
            item = self._maker.make(entry, index, self._fallback_did)
            if item is not None:
                items.append(item)
            yield
        self._maker.raise_errors()
        return items

    def _fallback_did(self) -> str | None:
        if not self._dids:
            return None
        self._next_did += 1
        return self._dids[(self._next_did - 1) % len(self._dids)]
