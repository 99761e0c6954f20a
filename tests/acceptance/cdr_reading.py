"""Programs of other APIs' users, run as theirs are, and what they read of a campaign.

The programs in `cdr_programs` were written from those APIs' documents and know nothing of ours but
base URL and credentials.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.patience import PATIENCE
from tests.required import skip_unless_required

PROGRAMS: Final = Path(__file__).parent / "cdr_programs"
Record = dict[str, Any]


def find_php() -> str:
    """The system's PHP. Skips without one, unless one must be there."""
    php = shutil.which("php")
    if php is None:
        skip_unless_required("needs PHP: apt-get install php-cli")
    return php


def choose_noon() -> str:
    """A time zone in which it is about noon: no campaign there runs past midnight."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


async def run_program(*command: str) -> str:
    """What a program prints. Raises with what it says when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode == 0, f"{command[1]}: {err.decode()}"
    return out.decode()


@dataclass(slots=True)
class Readers:
    """One of each kind, for one client, whose username is its accountcode."""

    origin: str
    key: str
    username: str
    zone: str
    php: str = field(default_factory=find_php)

    async def scroll(self, limit: int, scroll_id: str = "") -> tuple[list[Record], str]:
        """All records of `/v2/cdr` from there on, and what to go on with."""
        program = str(PROGRAMS / "v2.py")
        out = await run_program(
            *(sys.executable, program, self.origin, self.key, str(limit), scroll_id)
        )
        records, last = out.splitlines()
        found: list[Record] = json.loads(records)
        return found, last

    async def report(self, page_size: int) -> list[Record]:
        """Today's calls, by Ozonetel's paginated report."""
        program = str(PROGRAMS / "ozonetel.py")
        offset = int(self.zone.removeprefix("Etc/GMT"))
        day = (datetime.now(UTC) - timedelta(hours=offset)).date()
        host = self.origin.partition("://")[2]
        out = await run_program(
            *(sys.executable, program, host, self.key, self.username, str(day), str(page_size))
        )
        found: list[Record] = json.loads(out)
        return found

    async def search(self, manner: str, **filters: object) -> list[Record]:
        """What the PBX's API finds; `manner`: how its parameters are sent."""
        program = str(PROGRAMS / "pbx.php")
        asked = json.dumps(filters)
        out = await run_program(self.php, program, self.origin, self.key, asked, manner)
        found: list[Record] = json.loads(out)
        return found


@dataclass(slots=True)
class Readings:
    """What came of a campaign that was read all the time while it ran: `scrolled` in one go on,
    the others from their beginning in every round."""

    scrolled: list[Record] = field(default_factory=list)
    reported: list[list[Record]] = field(default_factory=list)
    found: list[list[Record]] = field(default_factory=list)

    def check(self, cdr_ids: set[str], numbers: list[str]) -> None:
        """Every call once in each API, in the same order; what was seen earlier stands first."""
        assert len(self.found) > 1
        ids = [record["id"] for record in self.scrolled]
        assert len(ids) == len(set(ids))
        assert set(ids) == cdr_ids
        dialed = [record["to_number"] for record in self.scrolled]
        assert sorted(dialed) == sorted(numbers)
        for rounds, key, number in (
            (self.reported, "UCID", "DialedNumber"),
            (self.found, "id", "destination"),
        ):
            last = [record[key] for record in rounds[-1]]
            assert len(set(last)) == len(last)
            assert [record[number] for record in rounds[-1]] == dialed
            for earlier in rounds:
                assert [record[key] for record in earlier] == last[: len(earlier)]


async def follow(
    readers: Readers, finished: Callable[[], bool], changed: asyncio.Event
) -> Readings:
    """Read on and on until everything was written before a round began. `changed` tells of more."""
    readings = Readings()
    scroll_id = ""
    manners = ("form", "json", "get")
    while True:
        changed.clear()
        done = finished()
        records, scroll_id = await readers.scroll(7, scroll_id)
        readings.scrolled += records
        readings.reported.append(await readers.report(11))
        manner = manners[len(readings.found) % len(manners)]
        readings.found.append(await readers.search(manner))
        if done:
            return readings
        async with asyncio.timeout(PATIENCE):
            await changed.wait()
