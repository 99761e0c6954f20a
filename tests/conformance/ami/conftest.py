"""The two peers of the conformance tests: the simulator, and the lab's real Asterisk."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from ami import Address
from ami.simulator import Simulator
from tests.lab.running_lab import Lab, find_lab
from tests.required import skip_unless_required

Peer = Callable[[], AbstractAsyncContextManager[Address]]


@asynccontextmanager
async def simulated() -> AsyncIterator[Address]:
    simulator = Simulator()
    await simulator.start()
    try:
        yield Address("127.0.0.1", simulator.port, "dialer", "dialer-lab")
    finally:
        await simulator.stop()


@asynccontextmanager
async def real() -> AsyncIterator[Address]:
    """The lab's first PBX; a named skip without one, a failure where it is required."""
    lab = find_lab()
    if not isinstance(lab, Lab):
        skip_unless_required(lab)
    pbx = lab.pbx1
    yield Address(pbx.host, pbx.port, pbx.username, pbx.secret)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(simulated, id="simulator"),
        pytest.param(real, id="lab", marks=pytest.mark.lab),
    ],
)
def peer(request: pytest.FixtureRequest) -> Peer:
    """Opens the peer: an async context manager of its address."""
    opened: Peer = request.param
    return opened
