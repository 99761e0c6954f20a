"""The simulated Asterisk of a cluster: its ends, and that it is there again under its port."""

import asyncio
from pathlib import Path

import pytest

from chaos.cluster.far_side import FarSide, find_rang, open_far_sides
from tests.lab.raw_ami import RawAmi

pytestmark = pytest.mark.io


async def log_in(far: FarSide) -> RawAmi:
    session = await RawAmi.connect("127.0.0.1", far.port)
    answer = await session.login("dialer", "dialer-lab")
    assert answer["Response"] == "Success"
    return session


async def ring(session: RawAmi, number: str) -> None:
    """A call that talks until its Asterisk ends, or ten minutes."""
    headers = {
        "ActionID": f"ring-{number}",
        "ChannelId": f"call-{number}",
        "Channel": f"PJSIP/{number}@carrier",
        "Application": "Wait",
        "Data": "600",
        "Async": "true",
    }
    answer = await session.ask("Originate", headers)
    assert answer["Response"] == "Success", answer
    await session.first(lambda message: message.event == "Newchannel")


async def test_whatever_ends_it_it_is_there_again_and_knows_what_rang(tmp_path: Path) -> None:
    async with open_far_sides(("pbx1", "pbx2"), 1.0, None, tmp_path) as far_sides:
        far, other = far_sides["pbx1"], far_sides["pbx2"]
        port = far.port
        for number, end in (("70107", far.stop), ("70207", far.kill)):
            async with await log_in(far) as session:
                await ring(session, number)
                await end()
            with pytest.raises(OSError, match="onnect"):
                await asyncio.open_connection("127.0.0.1", port)
            await far.start()
        assert find_rang([far, other], "70") == ("70107", "70207")
        assert find_rang([far, other], "702") == ("70207",)
        async with await log_in(far) as session:
            assert far.port == port
            await ring(session, "70300")


async def test_one_that_stops_gracefully_waits_for_its_last_call(tmp_path: Path) -> None:
    async with open_far_sides(("pbx1",), 0.01, None, tmp_path) as far_sides:
        far = far_sides["pbx1"]
        async with await log_in(far) as session:
            await ring(session, "70107")
            await far.stop_gracefully()
            for event in ("Hangup", "Shutdown"):
                assert event in [message.event for message in session.messages]
        await far.start()
        async with await log_in(far) as session:
            await ring(session, "70200")
