"""A process that behaves as one of the dialer's does: it ends at once while the file FIRST_ENDS is
there, which it removes; it ends by itself when ENDS_ITSELF is set; else it is ready until SIGTERM.
Used by tests/chaos/test_cluster_members.py."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

FIRST_ENDS = "PRETENDED_FIRST_ENDS"
ENDS_ITSELF = "PRETENDED_ENDS_ITSELF"


def main(arguments: Sequence[str]) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    first_ends = Path(os.environ.get(FIRST_ENDS, "/nowhere"))
    if first_ends.exists():
        first_ends.unlink()
        return 1
    rules = os.environ.get("DIALER_FAILPOINTS")
    print(f"dialer {arguments[0]} is ready: http://{rules}/", flush=True)
    if ENDS_ITSELF in os.environ:
        return 3
    signal.sigwait({signal.SIGTERM})
    return 0
