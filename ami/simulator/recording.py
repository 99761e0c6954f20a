"""The operator's recording dialplan (asterisk-conf, dialer-recording.conf), step for step."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FORMATS: Final = frozenset({"wav", "gsm", "ulaw", "alaw", "sln"})
APPLICATIONS: Final = frozenset(
    {"Dial", "Playback", "Queue", "Wait", "Echo", "ConfBridge", "MusicOnHold"}
)
CONTEXT: Final = "dialer-recording"
REFUSED: Final = (38, 500)  # the dialplan's Hangup(38), and the SIP code that PJSIP makes of it
_OUTSIDE: Final = re.compile(r"^$|^/|(^|/)\.\.?(/|$)")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where the dialplan came to: the place of its last step, the file that it records to (None
    where it refused before) and the application that it runs ('' where it refused)."""

    place: tuple[str, str, int]
    file: str | None = None
    application: str = ""


def run_dialplan(variables: Mapping[str, str], folder: str, profiles: frozenset[str]) -> Recorded:
    """What becomes of an answered call with these variables; recordings go below `folder`."""
    name = variables.get("DIALER_RECORDING", "")
    if re.search(r"[^A-Za-z0-9_./-]", name) or _OUTSIDE.search(name):
        return Recorded((CONTEXT, "s", 10))
    form = re.sub("[^a-z0-9]", "", variables.get("DIALER_FORMAT", ""))
    if form not in FORMATS:
        return Recorded(("dialer-format", "i", 1))
    profile = variables.get("DIALER_PROFILE", "") or "default"
    if re.sub("[^A-Za-z0-9_]", "", profile) not in profiles:
        return Recorded(("dialer-profile", "i", 1))
    file = f"{folder}/{name}.{form}"
    application = re.sub("[^A-Za-z0-9_]", "", variables.get("DIALER_APPLICATION", ""))
    if application not in APPLICATIONS:
        return Recorded(("dialer-application", "i", 1), file)
    return Recorded(("dialer-application", application, 1), file, application)
