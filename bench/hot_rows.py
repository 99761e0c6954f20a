"""How many transactions a second may change the same rows of counts, and how many change rows of
their own: what shared counts cost as workers and deliverers become many.

    python -m bench.hot_rows [--seconds 4]

PostgreSQL's own pgbench on a server with fsync: each transaction adds to four rows, as one that
settles calls adds to the tallies, and commits.
"""

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from bench.cluster_rate import DURABLE
from tests.postgres_server import PostgresServer, find_programs, run_postgres

SESSIONS: Final = (1, 4, 16, 64)
ROWS: Final = 4
TABLE: Final = (
    "CREATE TABLE counts (owner integer, name text, value bigint, PRIMARY KEY (owner, name))"
)
CHANGE: Final = f"""BEGIN;
INSERT INTO counts SELECT {{owner}}, 'row ' || n, 1 FROM generate_series(1, {ROWS}) AS n
ON CONFLICT (owner, name) DO UPDATE SET value = counts.value + excluded.value;
COMMIT;
"""


def measure(server: PostgresServer, script: Path, sessions: int, seconds: float) -> float:
    """Transactions a second of so many sessions."""
    command = [
        *(str(find_programs() / "pgbench"), "--no-vacuum", "--client", str(sessions)),
        *("--jobs", str(min(sessions, 2)), "--time", str(int(seconds)), "--file", str(script)),
        *("--username", "postgres", "--host", str(server.folder), "postgres"),
    ]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"tps = ([0-9.]+)", out)
    assert found is not None, out
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description="What shared rows of counts cost.")
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, run_postgres(DURABLE) as server:
        server.execute(TABLE)
        for name, owner in (("the same rows", "0"), ("rows of their own", ":client_id")):
            script = Path(folder, "change.sql")
            script.write_text(CHANGE.format(owner=owner), encoding="ascii")
            rates = [measure(server, script, many, options.seconds) for many in SESSIONS]
            told = ", ".join(
                f"{rate:,.0f} ({many})" for many, rate in zip(SESSIONS, rates, strict=True)
            )
            print(f"{name}: transactions a second (sessions): {told}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
