"""Fuzzes everything that reads recorded AMI traffic, guided by the branches that it reaches.

    pip install atheris && python -m bench.fuzz_readers 3600 [--corpus DIR] [--findings DIR]

Any bytes are a trace or are refused with a `TraceError`: nothing else may be raised, whatever
follows them (the replay, its CDRs, timelines and statistics, cutting, making anonymous). What is
read does not depend on how many bytes come at a time, and a trace that was written again gives the
same CDRs (tests/properties/trace_checks.py). Each kind of failure leaves one file in the findings'
folder, and exit code 1.

The seeds are `tests/traces` and `tests/captures` in every format. atheris is no dependency of the
project: it has no wheel for some of the Pythons and machines that the project runs on.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import traceback
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 12_000
SLOWEST = 20
"""Seconds: an input that takes longer is a failure too, and ends the run."""


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
        from tests.properties.trace_checks import check_file
        from tests.properties.trace_mutations import mutate
    found = Findings(findings)

    def try_one(data: bytes) -> None:
        try:
            check_file(data)
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
        custom_mutator=lambda data, most, seed: mutate(
            data, most, random.Random(seed), atheris.Mutate
        ),
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
