"""A fake Asterisk that speaks AMI on a socket, for tests, demonstrations and measurements.

`Simulator(SimulatorConfig(...))`, `await start()`, then connect any AMI client to its `port`.
`python -m ami.simulator --port N` runs one by itself.
"""

from ami.simulator.config import FILTERED, AmiUser, SimulatorConfig
from ami.simulator.farend import CarrierCall
from ami.simulator.plan import Behaviour, Signal, find_behaviour
from ami.simulator.playback import Course, Courses, Step
from ami.simulator.server import Counters, Simulator

__all__ = [
    "FILTERED",
    "AmiUser",
    "Behaviour",
    "CarrierCall",
    "Counters",
    "Course",
    "Courses",
    "Signal",
    "Simulator",
    "SimulatorConfig",
    "Step",
    "find_behaviour",
]
