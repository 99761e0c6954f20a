"""A campaign that is told to end: what it started ends with it, an Asterisk of its own, too."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

HEEDED: Final = (signal.SIGTERM, signal.SIGHUP)
"""Besides SIGINT. SIGKILL cannot be heeded: it leaves the Asterisk of a campaign behind."""


@contextmanager
def heed_signals() -> Iterator[None]:
    """In the block, which runs in the main thread, these signals do what Ctrl-C does: all that was
    entered is left, then the process exits with 128 and the signal's number."""
    came = [signal.SIGINT]

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(signal.Signals(number))
        signal.raise_signal(signal.SIGINT)

    # Who is started in the background by a shell ignores SIGINT, and would then these, too.
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    before |= {number: signal.signal(number, interrupt) for number in HEEDED}
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + came[-1]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
