"""The lab's first Asterisk as the far end: real SIP, and the carrier's own log of what rang."""

from dataclasses import dataclass

from tests.lab.carrier_log import read_calls
from tests.lab.running_lab import Lab


@dataclass(frozen=True, slots=True)
class OnLab:
    """As `chaos.scene.FarEnd` wants it."""

    lab: Lab

    @property
    def host(self) -> str:
        return self.lab.pbx1.host

    @property
    def port(self) -> int:
        return self.lab.pbx1.port

    @property
    def username(self) -> str:
        return self.lab.pbx1.username

    @property
    def onlooker(self) -> str:
        return self.lab.pbx1.username

    @property
    def secret(self) -> str:
        return self.lab.pbx1.secret

    def rang(self, prefix: str) -> tuple[str, ...]:
        calls = read_calls(self.lab.carrier_log)
        return tuple(call.number for call in calls if call.number.startswith(prefix))
