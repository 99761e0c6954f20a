"""schemathesis against the running product: every operation of its OpenAPI description, with all
checks and all phases, as an ordinary client and as a superuser.

Its command line is used as anyone would: defaults but for what `OPTIONS` says. No check is left
out, and none is loosened.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Final

import pytest

from dialer.api.openapi import ALL_OPERATIONS
from tests.acceptance.plant import SUPERUSER, Plant

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = (sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()")
OPTIONS: Final = (
    *("--checks", "all"),
    *("--phases", "examples,coverage,fuzzing,stateful"),
    *("--max-examples", "40"),  # of 100: the two runs take a minute and a half so
    "--generation-deterministic",  # the same requests in every run
    "--continue-on-failure",  # all that is wrong at once
    "--no-color",
)
PATIENCE: Final = 300.0
UNHURRIED: Final = {"gateway_per_minute": 10**6, "gateway_per_second": 10**6}
"""Settings: more than a few of the requests are answered otherwise than with 429."""


def origin_of(plant: Plant) -> str:
    return f"http://127.0.0.1:{plant.product.http_port}"


async def run(plant: Plant, key: str, description: str, *options: str) -> tuple[int, str]:
    """Exit code and output of schemathesis over everything in a description."""
    told = {
        "API_KEY": key,
        "API_ORIGIN": origin_of(plant),
        "API_SCRATCH": "scratch",
        "API_SUPERUSER": SUPERUSER,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.openapi.keys",
    }
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "run", description, *OPTIONS, *options),
        cwd=plant.folder,
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize("who", ["client", "superuser"])
async def test_the_api_is_as_described(tmp_path: Path, who: str) -> None:
    async with Plant(tmp_path, settings=UNHURRIED) as plant:
        await plant.add_server("server1", plant.simulator.port)
        key = await plant.add_client("client_xyz")
        await plant.add_client("scratch")
        key = SUPERUSER if who == "superuser" else key
        code, output = await run(plant, key, f"{origin_of(plant)}/openapi.json")
    assert code == 0, output
    operations = len(ALL_OPERATIONS)
    assert f"Tested: {operations}" in output, output


async def test_a_description_that_promises_too_much_is_found(tmp_path: Path) -> None:
    """The run can fail: pages of 5000 are described here, and refused."""
    async with Plant(tmp_path) as plant:
        key = await plant.add_client("client_xyz")
        async with plant.http(key) as http:
            described = (await http.get(f"{origin_of(plant)}/openapi.json")).json()
        path = "/calling/api/queues/getmasterqueues/"
        told = described["paths"][path]["get"]
        (size,) = (told for told in told["parameters"] if told["name"] == "page_size")
        size["schema"]["maximum"] = 5000
        file = tmp_path / "openapi.json"
        file.write_text(json.dumps({**described, "paths": {path: {"get": told}}}))
        options = ("--url", origin_of(plant), "--phases", "coverage")
        code, output = await run(plant, key, str(file), *options)
    assert code == 1, output
    assert "Schema-valid request rejected" in output
