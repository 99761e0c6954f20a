"""Records what the lab's Asterisk says over AMI, scenario by scenario, into tests/captures.

Run from the project's folder with the lab up: `python -m lab.capture [SCENARIO ...]`. Uses pbx2, on
which nothing else may run meanwhile: a capture that holds another's call is refused.

`<scenario>.sent` has the actions as they were written, `<scenario>.ami` every byte that came back
from just before the first of them (login scenarios: from the banner on), and nothing else.
"""

import asyncio
import sys
from pathlib import Path

from lab.scenarios import SCENARIOS
from tests.lab.raw_ami import RawAmi

HOST, PORT = "127.0.0.1", 15039
USERNAME, SECRET = "dialer", "dialer-lab"
CAPTURES = Path(__file__).parent.parent / "tests" / "captures"


async def capture_login(secret: str) -> RawAmi:
    """A session that logged in, well or badly, with all its bytes from the banner on."""
    ami = await RawAmi.connect(HOST, PORT)
    await ami.login(USERNAME, secret)
    if secret != SECRET:
        await ami.until(lambda s: s.closed)
    return ami


async def capture_logoff() -> RawAmi:
    ami = await capture_login(SECRET)
    ami.forget()
    await ami.ask("Logoff", {"ActionID": "logoff-action"})
    await ami.until(lambda s: s.closed)
    return ami


async def capture(name: str) -> RawAmi:
    """Runs one scenario in a session of its own and gives that session with what it said."""
    if name == "login":
        return await capture_login(SECRET)
    if name == "login_bad":
        return await capture_login("not-the-secret")
    if name == "logoff":
        return await capture_logoff()
    ami = await capture_login(SECRET)
    ami.forget()
    await SCENARIOS[name](ami, name.replace("_", "-"))
    return ami


def refuse_strangers(name: str, ami: RawAmi) -> None:
    """Raises ValueError where a call that is not the scenario's is among the messages."""
    prefix = name.replace("_", "-")
    for message in ami.messages:
        call = message["Linkedid"] or message["DestLinkedid"] or prefix
        if not call.startswith(prefix):
            raise ValueError(f"{name}: the call {call} of somebody else is in the capture")


def asterisk_version(ami: RawAmi) -> str:
    """The version in CoreSettings' answer, without the packager's suffix."""
    answer = next(m for m in ami.messages if m["AsteriskVersion"])
    return answer["AsteriskVersion"].partition("+")[0].partition("~")[0]


async def main(wanted: list[str]) -> None:
    names = wanted or ["login", "login_bad", "logoff", *SCENARIOS]
    async with await capture("core_settings") as ami:
        folder = CAPTURES / f"asterisk-{asterisk_version(ami)}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        async with await capture(name) as ami:
            refuse_strangers(name, ami)
            (folder / f"{name}.ami").write_bytes(ami.received)
            (folder / f"{name}.sent").write_bytes(ami.sent)
        print(f"{name}: {len(ami.received)} bytes, {len(ami.messages)} messages")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
