"""AMI messages a second: our decoder beside panoramisk's parser, on the same bytes in one run.

    python bench/ami_parse.py [MESSAGES]

The bytes are the 25 messages that one answered call makes with every event on, of which eight are
wanted; and the eight alone, as an event filter leaves them. Each parser gets them in chunks of
64 kB. "read": four headers of each wanted message are looked at, which decodes it.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from panoramisk.message import Message as PanoramiskMessage

from ami import WANTED, Decoder

WANTED_NAMES = ["Newchannel", "DialBegin", "DialState", "Newstate", "Newstate"]
WANTED_NAMES += ["OriginateResponse", "DialEnd", "Hangup"]
OTHER_NAMES = ["VarSet"] * 11 + ["Newexten"] * 4 + ["NewCallerid", "NewConnectedLine"]
HEADERS = (
    "Privilege: call,all\r\nTimestamp: 1785556800.123456\r\nChannel: PJSIP/carrier-00000001\r\n"
    "ChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 5551234\r\nCallerIDName: Zoë\r\n"
    "ConnectedLineNum: 5551234\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\n"
    "AccountCode: acme\r\nContext: default\r\nExten: s\r\nPriority: 1\r\n"
    "Uniqueid: 0198f0a0-7b0b-7000-8000-000000000001\r\n"
    "Linkedid: 0198f0a0-7b0b-7000-8000-000000000001\r\n"
)
CHUNK = 64 * 1024


def make_stream(names: list[str], messages: int) -> bytes:
    call = "".join(f"Event: {name}\r\n{HEADERS}\r\n" for name in names).encode()
    return call * (messages // len(names))


def chunks(stream: bytes) -> Iterator[bytes]:
    return (stream[place : place + CHUNK] for place in range(0, len(stream), CHUNK))


def run_ours(stream: bytes, *, read: bool) -> int:
    decoder, count = Decoder(wanted=WANTED), 0
    for chunk in chunks(stream):
        for message in decoder.feed(chunk):
            count += 1
            if read:
                for header in ("Uniqueid", "Linkedid", "Timestamp", "Cause"):
                    message.get(header)
    return count + decoder.passed_over


def run_panoramisk(stream: bytes) -> int:
    """AMIProtocol.data_received without its logging and dispatch."""
    queue: deque[str] = deque()
    count = 0
    for chunk in chunks(stream):
        data = chunk.decode("utf8", "ignore")
        if queue:
            data = queue.popleft() + data
        lines = data.split("\r\n\r\n")
        queue.append(lines.pop(-1))
        for line in lines:
            if PanoramiskMessage.from_line(line.strip()) is not None:
                count += 1
    return count


def measure(name: str, run: Callable[[], int], best_of: int = 3) -> float:
    best = 0.0
    for _ in range(best_of):
        begun = time.process_time()
        count = run()
        best = max(best, count / (time.process_time() - begun))
    print(f"  {name:<28}{best:>12,.0f} messages/s")
    return best


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    for title, names in (
        ("a call's 25 messages, 8 wanted", WANTED_NAMES + OTHER_NAMES),
        ("the 8 wanted ones alone", WANTED_NAMES),
    ):
        stream = make_stream(names, messages)
        print(f"{title}: {len(stream) / 1e6:.0f} MB")
        peer = measure("panoramisk 1.4, parsing only", partial(run_panoramisk, stream))
        ours = measure("ours", partial(run_ours, stream, read=False))
        read = measure("ours, headers read", partial(run_ours, stream, read=True))
        print(f"  times as fast: {ours / peer:.1f}, with headers read {read / peer:.1f}")


if __name__ == "__main__":
    main()
