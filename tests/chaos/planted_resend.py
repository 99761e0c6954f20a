"""A dialer with a planted bug: what was open when the link went is sent again on the next one."""

import asyncio
from collections.abc import Sequence

from ami import LinkChange, Originate
from dialer.cli import main as run_dialer
from dialer.server_link import ServerLink

on_link = ServerLink._on_link
resume = ServerLink.resume
left: dict[ServerLink, list[tuple[str, str]]] = {}


def resume_and_note(self: ServerLink, channel_id: str, action_id: str, *more: float) -> None:
    left.setdefault(self, []).append((channel_id, action_id))
    resume(self, channel_id, action_id, *more)


def send_again(self: ServerLink, change: LinkChange) -> None:
    on_link(self, change)
    if self.up:
        asyncio.get_running_loop().call_soon(_send, self, left.pop(self, []))


def _send(link: ServerLink, calls: list[tuple[str, str]]) -> None:
    for channel_id, action_id in calls:
        originate = Originate(
            action_id=action_id,
            channel_id=channel_id,
            channel="PJSIP/70000000@carrier",
            application="Wait",
            data="1",
            timeout_ms=3000,
        )
        link._client.originate(originate).add_done_callback(lambda done: done.exception())


def main(arguments: Sequence[str]) -> int:
    ServerLink.resume = resume_and_note  # type: ignore[assignment]
    ServerLink._on_link = send_again  # type: ignore[method-assign]
    return run_dialer(arguments)
