"""`dialer pause` and `dialer resume`: an operator's own brake, beside the clients' pause."""

from typing import Annotated

import typer

from dialer.cli.workspace import LARGEST_ID, name_operator, with_store
from dialer.errors import Conflict, SettingsError
from dialer.states import QueueStatus
from dialer.store.contract import EndedItem, NewDelivery, Store

Code = Annotated[str | None, typer.Option("--server", metavar="CODE", help="All calls there.")]
Account = Annotated[
    str | None, typer.Option("--client", metavar="ACCOUNTCODE", help="All its calls.")
]
QueueId = Annotated[
    int | None, typer.Option("--queue", metavar="ID", max=LARGEST_ID, help="All its calls.")
]


def pause(server: Code = None, client: Account = None, queue: QueueId = None) -> None:
    """Stop new attempts of a server, a client or a queue; live calls are left alone.

    Example: dialer pause --server pbx1
    """
    steer(True, server, client, queue)


def resume(server: Code = None, client: Account = None, queue: QueueId = None) -> None:
    """Let what was paused start attempts again.

    Example: dialer resume --server pbx1
    """
    steer(False, server, client, queue)


def steer(paused: bool, server: str | None, client: str | None, queue: int | None) -> None:
    if sum(target is not None for target in (server, client, queue)) != 1:
        raise SettingsError("give one of --server, --client and --queue")
    by = name_operator()

    async def work(store: Store) -> str:
        now = await store.read_clock()
        if server is not None:
            await store.change_server(server, {"paused": paused}, now, by)
            return f"server {server}"
        if client is not None:
            await store.change_client(client, {"paused": paused}, now, by)
            return f"client {client}"
        assert queue is not None
        if (await store.queue(queue, None)).status is QueueStatus.COMPLETED:
            raise Conflict(f"queue {queue} is completed")
        await store.change_queue(queue, {"paused": paused}, _ends_nothing, now, by)
        return f"queue {queue}"

    typer.echo(f"{with_store(work)} is {'paused' if paused else 'dialing again'}")


def _ends_nothing(ended: EndedItem) -> tuple[NewDelivery, ...]:
    """Pausing ends no item, so this is never asked."""
    raise AssertionError(f"item {ended.candidate.id} was ended by a pause")
