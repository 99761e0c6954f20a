"""What the simulated Asterisk is like: its users, endpoints, capacity and pace."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ami.simulator.faults import Fault
from ami.simulator.plan import Behaviour

# The events that the lab's manager.conf lets through for the dialer's user.
FILTERED: Final = frozenset(
    {
        "FullyBooted",
        "Shutdown",
        "Newchannel",
        "Newstate",
        "DialBegin",
        "DialState",
        "DialEnd",
        "BridgeEnter",
        "Hangup",
        "OriginateResponse",
        "UserEvent",
        "DTMFEnd",
    }
)


@dataclass(frozen=True, slots=True)
class AmiUser:
    """A user of manager.conf. `read` and `write` are classes of its privileges; `events` the
    names that its filter includes, None for no filter. The secret is a test's, not a secret."""

    name: str = "dialer"
    secret: str = field(default="dialer-lab", repr=False)
    read: frozenset[str] = frozenset({"call", "system", "user", "dtmf"})
    write: frozenset[str] = frozenset({"originate", "call", "reporting"})
    events: frozenset[str] | None = FILTERED


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """`scale` multiplies every delay of the far end and of applications (not the Originate's own
    Timeout); `max_calls` and `max_cps` are the carrier's capacity, above which it answers 503;
    `login_delay` is what a refused login waits; `log_size` bounds the log of calls; `max_backlog`
    is the bytes that a slow reader may leave unread before it is cut off, as Asterisk does after
    its writetimeout; `seed` decides the orders that Asterisk leaves to chance; `clock` gives the
    Timestamp headers. `recording_profiles` are those of the recording dialplan, `recordings` is its
    folder: files are named, none is written. `call_ids`: whether its endpoints tell Call-IDs.
    `endpoints` with `*` among them are all that there may be. `far_end` says what becomes of a call
    to a number (True: as a second leg), None: the number table; `faults` is what goes wrong."""

    users: tuple[AmiUser, ...] = (AmiUser(), AmiUser("unfiltered", events=None))
    endpoints: frozenset[str] = frozenset({"carrier", "endpoint1", "endpoint2", "provider1", "any"})
    dead_endpoints: frozenset[str] = frozenset({"dead"})
    local_contexts: dict[str, str] = field(default_factory=lambda: {"lab-out": "carrier"})
    recording_contexts: frozenset[str] = frozenset({"dialer-recording"})
    recording_profiles: frozenset[str] = frozenset({"default", "bridged"})
    recordings: str = "/var/lab/recordings"
    call_ids: bool = True
    queue_member: str = "PJSIP/9007@carrier"
    scale: float = 1.0
    max_calls: int | None = None
    max_cps: int | None = None
    login_delay: float = 1.0
    log_size: int = 100_000
    max_backlog: int = 32 * 1024 * 1024
    seed: int = 0
    far_end: Callable[[str, bool], Behaviour] | None = None
    faults: tuple[Fault, ...] = ()
    clock: Callable[[], float] = time.time
