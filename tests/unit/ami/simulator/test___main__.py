"""The simulator as a program."""

import asyncio

import pytest

from ami.simulator.__main__ import Options, read_options, serve
from ami.simulator.config import SimulatorConfig
from tests.patience import PATIENCE


def test_options() -> None:
    options = read_options(["--port", "0", "--scale", "0.5", "--max-calls", "7", "--max-cps", "9"])
    assert (options.host, options.port) == ("127.0.0.1", 0)
    config = options.config
    assert (config.scale, config.max_calls, config.max_cps) == (0.5, 7, 9)


def test_a_wrong_option_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_options(["--port", "many"])
    assert "invalid int value" in capsys.readouterr().err


async def test_it_serves_until_it_is_stopped() -> None:
    stop = asyncio.Event()
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    options = Options("127.0.0.1", 0, SimulatorConfig())
    serving = asyncio.create_task(serve(options, stop, told.set_result))
    where = await asyncio.wait_for(told, PATIENCE)
    assert where.startswith("simulated Asterisk on 127.0.0.1:")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(where.rpartition(":")[2]))
    assert (await reader.readline()).startswith(b"Asterisk Call Manager/")
    stop.set()
    await asyncio.wait_for(serving, PATIENCE)
    writer.close()
