"""Fuzzes everything that reads recorded AMI traffic, guided by the branches that it reaches.

    pip install atheris && python -m bench.fuzz_readers 3600 [--corpus DIR] [--findings DIR]

Any bytes are a trace or are refused with a `TraceError`: nothing else may be raised, whatever
follows them (the replay, its CDRs, timelines and statistics, cutting, making anonymous). What is
read does not depend on how many bytes come at a time, and a trace that was written again gives the
same CDRs. Each kind of failure leaves one file in the findings' folder, and exit code 1.

The seeds are `tests/traces` and `tests/captures` in every format. atheris is no dependency of the
project: it has no wheel for some of the Pythons and machines that the project runs on.
"""

import argparse
import contextlib
import gzip
import io
import json
import random
import subprocess
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LONGEST = 12_000
SLOWEST = 20
"""Seconds: an input that takes longer is a failure too, and ends the run."""

HEADERS = (
    ("Timestamp", "Uniqueid", "Linkedid", "Channel", "ChannelState"),
    ("Uniqueid", "Cause", "Cause-txt", "TechCause", "NotThere"),
    ("DialStatus", "DestUniqueid", "Uniqueid"),
)
"""Sets that are read together."""

MAGIC = b"AMI trace 1\n"
PACKED = b"\x1f\x8b"


# The seeds: every recording in every format.


def write_seeds(folder: Path) -> None:
    """Files of at most `LONGEST` bytes."""
    from ami.trace import Direction, open_trace

    sources = sorted((ROOT / "tests" / "traces").glob("*.trace"))
    sources += sorted((ROOT / "tests" / "captures").rglob("*.ami"))
    for number, source in enumerate(sources):
        records = list(open_trace(source))
        said = b"".join(r.data for r in records if r.direction is Direction.RECEIVED)
        forms = {"whole": source.read_bytes(), "said": said, "lf": said.replace(b"\r\n", b"\n")}
        forms |= write_texts(said.decode("utf-8", "replace"), number)
        if number % 8 == 0:
            forms["packed"] = gzip.compress(forms["whole"], mtime=0)
        for form, data in forms.items():
            if 0 < len(data) <= LONGEST:
                (folder / f"{source.stem}.{form}").write_bytes(data)


def write_texts(said: str, number: int) -> dict[str, bytes]:
    """The messages as JSON and as a log, one kind for each source."""
    messages = [
        dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line)
        for block in said.split("\r\n\r\n")
    ]
    messages = [message for message in messages if message]
    prefix = "2026-11-21 08:00:01,123 INFO ami: "
    match number % 4:
        case 0:
            return {"json": json.dumps(messages, ensure_ascii=False).encode()}
        case 1:
            lines = [json.dumps({"time": 1795246421.5, "event": one}) for one in messages]
            return {"lines": "\n".join(lines).encode()}
        case 2:
            return {"log": "".join(f"{prefix}{one}\n" for one in said.split("\r\n")).encode()}
        case _:
            return {"jsonlog": "\n".join(prefix + json.dumps(one) for one in messages).encode()}


def write_dictionary(path: Path) -> None:
    """Words that guessing bytes would not find soon."""
    words: set[str] = set()
    for source in (ROOT / "tests" / "captures").rglob("*.ami"):
        for line in source.read_text("utf-8", "replace").splitlines():
            name, colon, value = line.partition(": ")
            if colon and name.isascii() and name.replace("-", "").isalnum():
                words |= {f"{name}: "} | ({line} if name in ("Event", "Response") else set())
                words |= {value} if value.isalnum() and len(value) < 12 else set()
    words |= {"9" * 400, "1e999", "NaN", "-Infinity", "Timestamp: 9999999999999999"}
    words |= {'{"link":"down"}', '{"link":"up"}', '{"gap":{"bytes":1}}', "<null>", "AMI trace 1"}
    lines = [f'"{word}"' for word in (w.replace('"', '\\"') for w in sorted(words)) if word]
    path.write_text("\n".join(lines) + "\n", "ascii", "ignore")


# Changes that keep the form, so that more than the first lines of the readers is reached.


def mutate(data: bytes, longest: int, seed: int, change: Callable[[bytes, int], bytes]) -> bytes:
    """Another input: bytes changed, or messages moved about, inside what wraps them."""
    chance = random.Random(seed)
    if data.startswith(PACKED) and chance.random() < 0.8:
        with contextlib.suppress(OSError, EOFError, zlib.error):
            inner = mutate(gzip.decompress(data[:LONGEST]), longest, seed + 1, change)
            return gzip.compress(inner, 1, mtime=0)[:longest]
    if data.startswith(MAGIC) and chance.random() < 0.8:
        return mutate_records(data, chance, change)[:longest]
    if chance.random() < 0.5:
        return move_blocks(data, chance)[:longest]
    return change(data, longest)


def mutate_records(
    data: bytes, chance: random.Random, change: Callable[[bytes, int], bytes]
) -> bytes:
    from ami.trace import Record
    from ami.trace.encoding import decode_records, encode_record

    records = list(decode_records(io.BytesIO(data).read, lambda _: None))
    if not records:
        return change(data, LONGEST)
    place = chance.randrange(len(records))
    old = records[place]
    match chance.randrange(6):
        case 0:
            records.insert(chance.randrange(len(records)), records.pop(place))
        case 1:
            del records[place]
        case 2:
            at = (old.at or 0.0) + chance.choice((-5, 5, 7200))
            records[place] = Record(at, old.direction, old.data)
        case 3 | 4:
            records[place] = Record(old.at, old.direction, move_blocks(old.data, chance))
        case _:
            changed = change(old.data, len(old.data) + 200)
            records[place] = Record(old.at, old.direction, changed)
    return MAGIC + b"".join(map(encode_record, records))


def move_blocks(data: bytes, chance: random.Random) -> bytes:
    """Messages, or lines of them, left out, repeated or somewhere else."""
    between = chance.choice((b"\r\n\r\n", b"\n\n", b"\n", b"\r\n", b"},"))
    blocks = data.split(between)
    for _ in range(chance.randint(1, 4)):
        place, other = chance.randrange(len(blocks)), chance.randrange(len(blocks))
        match chance.randrange(3):
            case 0 if len(blocks) > 1:
                del blocks[place]
            case 1:
                blocks.insert(other, blocks[place])
            case _:
                blocks[place], blocks[other] = blocks[other], blocks[place]
    return between.join(blocks)


# What must hold.


def check(data: bytes) -> None:
    """Read the bytes as a file, and do with them all that is done with a trace."""
    from ami.trace import Trace, TraceError

    try:
        trace = Trace(io.BytesIO(data), "a file")
        records = list(trace)
    except TraceError:
        return
    assert len(trace.problems) <= 20
    check_pieces(data, trace.format)
    cdrs = check_replay(records)
    check_copy(records, cdrs)
    check_headers(records)
    if zlib.crc32(data) % 4 == 0:  # they take longer than all the rest
        check_tools(records)


def check_pieces(data: bytes, form: str) -> None:
    """However few bytes come at a time, the records are the same."""
    from ami.trace.encoding import decode_records
    from ami.trace.logs import read_json_log
    from ami.trace.objects import read_objects
    from ami.trace.plain import read_plain

    readers: dict[str, Any] = {"trace": decode_records, "ami": read_plain}
    readers |= {"json": read_objects, "json-log": read_json_log}
    if form not in readers or data.startswith(PACKED):
        return
    size = 1 + len(data) % 211 + len(data) // 50
    whole, pieces = io.BytesIO(data), io.BytesIO(data)
    first = list(readers[form](whole.read, lambda _: None))
    second = list(readers[form](lambda most: pieces.read(min(most, size)), lambda _: None))
    assert first == second, f"{form}: by {size} bytes it is not the same"


def check_replay(records: list[Any]) -> list[str]:
    """Every CDR can be written, and no call is given twice at once."""
    from dialer.replay.cdrs import write_cdr
    from dialer.replay.explanation import Explainer
    from dialer.replay.follower import Follower

    follower = Follower()
    calls = [call for record in records for call in follower.feed(record)]
    calls += follower.finish()
    lines = [json.dumps(write_cdr(call)) for call in calls if call.report is not None]
    assert list(follower.finish()) == [], "a call after the end"
    if calls:
        again = Follower()
        explainer = Explainer(calls[0].channel_id, again.tracker)
        again.watch = explainer.take
        told = [call for record in records for call in again.feed(record)] + list(again.finish())
        assert told == calls, "a watched replay is another one"
    return lines


def check_copy(records: list[Any], cdrs: list[str]) -> None:
    """A trace in this product's format says what the original says. Notes of when nothing is known
    are not told from those of 1970."""
    from ami.trace import Record
    from ami.trace.encoding import decode_records, encode_record

    kept = [Record(r.at if r.at is None else round(r.at, 6), r.direction, r.data) for r in records]
    if any(r.at is not None and not 0 < r.at < 1e12 for r in kept):
        return
    written = MAGIC + b"".join(map(encode_record, kept))
    problems: list[str] = []
    copied = list(decode_records(io.BytesIO(written).read, problems.append))
    assert copied == kept, "what was written is not what is read"
    assert problems == []
    if kept == records:
        assert check_replay(copied) == cdrs


def check_headers(records: list[Any]) -> None:
    """Headers that are read by an order that was learned are those that a message is asked for."""
    from ami.fields import Fields
    from ami.trace import split_records

    readers = [Fields(*names) for names in HEADERS]
    for piece in split_records(records):
        message = piece.message
        for reader, names in zip(readers, HEADERS, strict=True):
            if message is not None:
                assert reader.read(message) == tuple(map(message.get, names)), "another header"


def check_tools(records: list[Any]) -> None:
    """`trace stats`, `slice` and `anonymize`."""
    from ami.trace import Anonymizer, Beginnings, Selection, split_records
    from dialer.replay.statistics import collect_statistics

    collect_statistics(records)
    pieces = list(split_records(records))
    window = Beginnings(None, None)
    for piece in pieces:
        window.take(piece)
    selection = Selection(list(window.ids)[:2])
    while sum(selection.learn(piece) for piece in pieces):
        pass
    list(split_records(p.record() for p in pieces if selection.wants(p)))
    list(Anonymizer(b"a key of a fuzzer").rewrite(records))


# The fuzzer, in a process of its own: it ends that as it likes.


class Findings:
    """One file for each kind of failure: where it was raised, and what."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kinds: set[str] = set()

    def take(self, data: bytes, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__}-{Path(last.filename).stem}-{last.lineno}"
        if kind not in self._kinds:
            self._kinds.add(kind)
            (self._folder / kind).write_bytes(data)
            print(f"FOUND {kind}", file=sys.stderr)
            traceback.print_exception(error)


def fuzz(corpus: Path, findings: Path, seconds: int, words: Path) -> None:
    """Does not return."""
    import atheris

    with atheris.instrument_imports(include=["ami", "dialer"]):
        import dialer.replay.explanation
        import dialer.replay.follower
        import dialer.replay.sessions
        import dialer.replay.statistics  # noqa: F401
    found = Findings(findings)

    def try_one(data: bytes) -> None:
        try:
            check(data)
        except Exception as error:
            found.take(data, error)

    options = [
        *(f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={SLOWEST}"),
        *(f"-dict={words}", f"-artifact_prefix={findings}/", "-print_final_stats=1"),
        *("-rss_limit_mb=2048", "-len_control=0"),
    ]
    atheris.Setup(
        [sys.argv[0], *options, str(corpus)],
        try_one,
        custom_mutator=lambda data, most, seed: mutate(data, most, seed, atheris.Mutate),
    )
    atheris.Fuzz()


def run(seconds: int, corpus: Path, findings: Path) -> int:
    """Fuzz in another process; how many findings there are."""
    findings.mkdir(parents=True, exist_ok=True)
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        write_seeds(corpus)
    words = findings / "words"
    write_dictionary(words)
    more = ["--corpus", str(corpus), "--findings", str(findings), "--inside"]
    command = [sys.executable, "-m", "bench.fuzz_readers", str(seconds), *more]
    done = subprocess.run(command, cwd=ROOT, check=False)
    words.unlink()
    left = sorted(findings.iterdir())
    for path in left:
        print(f"finding: {path}")
    return len(left) + (done.returncode != 0 and not left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--corpus", type=Path, help="kept there, and gone on with")
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if find_spec("atheris") is None:
        sys.exit("the fuzzer is not installed: pip install atheris")
    if options.inside:
        fuzz(options.corpus, options.findings, options.seconds, options.findings / "words")
    findings = options.findings.absolute()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        corpus = (options.corpus or Path(folder)).absolute()
        sys.exit(1 if run(options.seconds, corpus, findings) else 0)


if __name__ == "__main__":
    main()
