"""A campaign on the lab, recorded while it runs and replayed: the replay must give what production
delivered.

    make lab-up && .venv/bin/python -m bench.lab_replay --calls 500 [--play] [--keep DIR]

Calls of every kind that the lab can make (all outcomes, second legs, Local channels, recordings,
blind and attended transfers, calls cut off by us before and after their answer), with one retry,
through `dialer run`, which records itself, and with `dialer record` beside it. Compared are: the
CDRs with the carrier's log; both replays with the CDRs, field for field; callbacks and SGAPI's
bodies with those made of the replayed CDRs. With `--play` the recording is then a server (`dialer
simulate --trace`) for the same calls, which must end as they did. Exit 1 when anything differs.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from dialer.replay.cdrs import STREAM_FIELDS
from tests.lab.played_campaign import check_played, play_campaign
from tests.lab.replayed_campaign import (
    Recorded,
    check_beside,
    check_delivered,
    check_truth,
    check_written,
    count_ends,
    record_campaign,
    replay,
)
from tests.lab.running_lab import Lab, find_lab
from tests.lab.varied_calls import make_calls


def print_campaign(recorded: Recorded) -> None:
    outcome = recorded.outcome
    print(
        f"{len(recorded.kinds)} calls of {len({k.name for k in recorded.kinds.values()})} kinds, "
        f"{len(recorded.cdrs)} attempts in {outcome.seconds:.0f} s; "
        f"{len(outcome.carrier)} at the carrier, {recorded.transfers} transfers"
    )
    for disposition, count in count_ends(recorded).most_common():
        print(f"   {disposition:14} {count}")
    for name, path in (("own", recorded.own), ("beside", recorded.beside)):
        print(f"{name} recording: {path.stat().st_size:,} bytes")


def print_checks(recorded: Recorded) -> int:
    """How much is wrong."""
    own = replay(recorded.own, recorded.cdrs)
    values = sum(cdr[name] is not None for cdr in own for name in STREAM_FIELDS)
    checks = {
        "CDRs against the carrier's log": check_truth(recorded),
        f"own replay, {len(STREAM_FIELDS)} fields, {values:,} values": check_written(recorded, own),
        "callbacks and SGAPI of the replayed CDRs": check_delivered(recorded, own),
        "replay of the recording beside": check_beside(recorded),
    }
    for name, problems in checks.items():
        print(f"{name}: {len(problems) or 'no'} differences")
        for problem in problems[:20]:
            print("   WRONG:", problem)
    return sum(map(len, checks.values()))


def print_play(lab: Lab, folder: Path, recorded: Recorded) -> int:
    """Play the campaign once more, of its recording; how much is different."""
    folder.mkdir()
    played = asyncio.run(play_campaign(lab, folder, recorded))
    problems = check_played(recorded, played)
    print(f"played: {len(played.cdrs)} attempts in {played.outcome.seconds:.0f} s")
    print(f"CDRs of the played calls: {len(problems) or 'no'} differences")
    for problem in problems[:20]:
        print("   WRONG:", problem)
    return len(problems)


def run(lab: Lab, folder: Path, calls: int, *, play: bool) -> int:
    prefix = f"{40 + int(time.time()) % 10}"
    recorded = asyncio.run(record_campaign(lab, folder, make_calls(prefix, calls)))
    print_campaign(recorded)
    wrong = print_checks(recorded)
    return wrong + (print_play(lab, folder / "played", recorded) if play else 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="where the recordings and the database stay")
    parser.add_argument("--play", action="store_true", help="dial the recording, too")
    options = parser.parse_args()
    lab = find_lab()
    if isinstance(lab, str):
        sys.exit(lab)
    if options.keep is not None:
        options.keep.mkdir(parents=True)
        sys.exit(1 if run(lab, options.keep.absolute(), options.calls, play=options.play) else 0)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(1 if run(lab, Path(folder), options.calls, play=options.play) else 0)


if __name__ == "__main__":
    main()
