"""How long a batch of 1000 items takes from JSON bytes to items ready to be stored.

    python bench/validate.py [--rounds 30]

Prints milliseconds for a batch (median and worst) beside the floor of the same run: pydantic-core
checking the same bytes with nothing done to the result.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from dialer.batch import build_batch
from dialer.bodies import BATCH, parse_batch
from dialer.ids import Ids
from dialer.store.contract import Client

CLIENT = Client(id=1, name="bench", accountcode="bench", username="bench")
SERVERS = {"server1": 1}
IDS = Ids(os.urandom)


def make_item(number: int) -> dict[str, Any]:
    """An item with the fields of the document's complete example."""
    return {
        "asterisk_server_code": "server1",
        "caller_id": "Your Company <1001>",
        "action": {
            "Action": "Originate",
            "Channel": f"PJSIP/98912{number:07d}@endpoint1",
            "Application": "Dial",
            "Data": f"PJSIP/98911{number:07d}@endpoint2,30",
            "Timeout": 30000,
            "CallerID": "Your Company <1001>",
            "Account": "your_account_code",
            "EarlyMedia": True,
            "Async": True,
        },
        "retry": 3,
        "create_recording": True,
        "recording_format": "wav",
        "queue_type": "outbound",
        "call_timeout": 30,
        "contact_number": 9_891_200_000_000 + number,
        "project": "campaign_2024",
        "deadline": "2030-12-31T23:59:59Z",
    }


def lower_keys(item: dict[str, Any]) -> dict[str, Any]:
    """The same item as clients with lower-case keys send it."""
    return {**item, "action": {key.lower(): value for key, value in item["action"].items()}}


def dump(items: list[dict[str, Any]]) -> bytes:
    return json.dumps({"batch_id": 1, "data": items}).encode()


def measure(name: str, work: Callable[[], object], rounds: int) -> None:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    print(f"{name:<34} median {statistics.median(times):6.2f} ms   worst {max(times):6.2f} ms")


def build(body: bytes) -> object:
    parsed = parse_batch(body)
    parsed.digest()
    return build_batch(parsed, CLIENT, SERVERS, lambda: IDS.new(1_700_000_000.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    items = [make_item(number) for number in range(1000)]
    body, lower = dump(items), dump([lower_keys(item) for item in items])
    measure("floor: pydantic-core alone", lambda: BATCH.validate_json(body), rounds)
    measure("types", lambda: parse_batch(body), rounds)
    measure("types, lower-case keys", lambda: parse_batch(lower), rounds)
    measure("whole: types, digest, rules, items", lambda: build(body), rounds)


if __name__ == "__main__":
    main()
