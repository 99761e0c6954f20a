"""The laws of the house, enforced: imports, sizes, and a test module for every module."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ami", "dialer")
LONGEST_FILE = 600
LONGEST_FUNCTION = 60

FENCES = {
    "panoramisk": ("ami/transport.py",),
    "sqlalchemy": ("dialer/store/",),
    "alembic": ("dialer/store/",),
    "aiosqlite": ("dialer/store/",),
    "asyncpg": ("dialer/store/",),
    "sqlite3": ("dialer/store/",),
    "fastapi": ("dialer/api/",),
    "starlette": ("dialer/api/",),
    "uvicorn": ("dialer/api/",),
    "asyncio_redis": ("dialer/coordination/",),
    "typer": ("dialer/cli/",),
}
"""Foreign words stop in one place each."""

CORE = (
    "ami/actions.py",
    "ami/calls.py",
    "ami/causes.py",
    "ami/errors.py",
    "ami/events.py",
    "ami/fields.py",
    "ami/frozen.py",
    "ami/legs.py",
    "ami/link.py",
    "ami/reports.py",
    "ami/reserved.py",
    "ami/translate.py",
    "ami/wire.py",
    "dialer/access_tokens.py",
    "dialer/applications.py",
    "dialer/attempts.py",
    "dialer/backpressure.py",
    "dialer/batch.py",
    "dialer/bodies.py",
    "dialer/body_types.py",
    "dialer/breaker.py",
    "dialer/caller_id.py",
    "dialer/cdr.py",
    "dialer/cdr_queries/ozonetel.py",
    "dialer/cdr_queries/pbx.py",
    "dialer/cdr_queries/v2.py",
    "dialer/clients.py",
    "dialer/coordination/address.py",
    "dialer/coordination/bounds.py",
    "dialer/coordination/leases.py",
    "dialer/coordination/ledger.py",
    "dialer/coordination/spread.py",
    "dialer/coordination/timing.py",
    "dialer/coordination/turns.py",
    "dialer/coordination/view.py",
    "dialer/departures.py",
    "dialer/dial_options.py",
    "dialer/errors.py",
    "dialer/export.py",
    "dialer/fields.py",
    "dialer/fairness.py",
    "dialer/gateway.py",
    "dialer/gateway_task.py",
    "dialer/histories.py",
    "dialer/ids.py",
    "dialer/items.py",
    "dialer/lanes.py",
    "dialer/loading.py",
    "dialer/local_times.py",
    "dialer/originate.py",
    "dialer/pacing.py",
    "dialer/phrases.py",
    "dialer/php_query.py",
    "dialer/picture.py",
    "dialer/planner.py",
    "dialer/policy.py",
    "dialer/policy_lists.py",
    "dialer/quick_call.py",
    "dialer/recent_ends.py",
    "dialer/reconcile.py",
    "dialer/redaction.py",
    "dialer/reporting.py",
    "dialer/fitness.py",
    "dialer/retry.py",
    "dialer/states.py",
    "dialer/steps.py",
    "dialer/variables.py",
    "dialer/dialects/__init__.py",
    "dialer/dialects/ozonetel.py",
    "dialer/dialects/parties.py",
    "dialer/dialects/pbx.py",
    "dialer/dialects/told.py",
    "dialer/dialects/v2_default.py",
    "dialer/dialects/v2_flex.py",
    "dialer/dialects/view.py",
    "dialer/dialects/words.py",
    "dialer/delivery/address.py",
    "dialer/delivery/backlog.py",
    "dialer/delivery/callback.py",
    "dialer/delivery/following.py",
    "dialer/delivery/schedule.py",
    "dialer/delivery/sgapi.py",
    "dialer/delivery/shapes.py",
    "dialer/delivery/signing.py",
    "dialer/delivery/timestamps.py",
    "dialer/delivery/verdict.py",
)
"""Pure: no event loop, no clock, no outside world."""

NOT_IN_CORE = {"asyncio", "time", "socket", "threading", "os", "httpx", "aiohttp", "logging"}
CLOCK_CALLS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
CLOCK_OWNERS = {"datetime", "date", "time", "dt"}

UNTESTED_ALONE = {
    "ami/__init__.py",  # re-exports
    "ami/simulator/__main__.py",  # starts the simulator that the conformance suite drives
    "dialer/__main__.py",
    "dialer/store/contract.py",  # protocols and records
    "dialer/store/records.py",
    "dialer/coordination/contract.py",
}
"""Modules without logic of their own."""


def list_files(*tops: str) -> list[Path]:
    found = [path for top in tops for path in (ROOT / top).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in found)


MODULES = list_files(*PACKAGES)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return tuple(names)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def top_of(name: str) -> str:
    return name.partition(".")[0]


def test_foreign_words_stop_in_one_place() -> None:
    broken = [
        f"{path} imports {name}"
        for path in MODULES
        for name in imports(path)
        if top_of(name) in FENCES and not str(path).startswith(FENCES[top_of(name)])
    ]
    assert broken == []


def test_ami_knows_no_business() -> None:
    broken = [
        f"{path} imports {name}"
        for path in MODULES
        if path.parts[0] == "ami"
        for name in imports(path)
        if top_of(name) == "dialer"
    ]
    assert broken == []


def test_the_dialer_sees_only_what_ami_exports() -> None:
    broken = [
        f"{path} imports {name}"
        for path in MODULES
        if path.parts[0] == "dialer"
        for name in imports(path)
        if name.startswith("ami.") and not name.startswith("ami.simulator") and name != "ami.trace"
    ]
    assert broken == []


@pytest.mark.parametrize("name", CORE)
def test_the_core_is_pure(name: str) -> None:
    path = Path(name)
    assert not {top_of(imported) for imported in imports(path)} & NOT_IN_CORE
    for node in ast.walk(parse(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in CLOCK_OWNERS
        ):
            assert node.func.attr not in CLOCK_CALLS, f"{name}:{node.lineno} asks a clock"


def test_sizes() -> None:
    broken = []
    for path in list_files(*PACKAGES, "chaos", "tests", "bench", "lab"):
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            broken.append(f"{path} has {lines} lines")
        if "versions" in path.parts:
            continue  # a migration is one list of steps, and never changed again
        for node in functions(path):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                broken.append(f"{path}: {node.name} has {length} lines")
    assert broken == []


def test_every_module_has_its_test_module() -> None:
    missing = [
        f"{path} has no {expected}"
        for path in MODULES
        if (expected := find_test_module(path)) is not None and not (ROOT / expected).exists()
    ]
    assert missing == []


def find_test_module(path: Path) -> Path | None:
    """Where the tests of a module must be; None for one without logic of its own."""
    if str(path) in UNTESTED_ALONE or "versions" in path.parts:
        return None
    if "migrations" in path.parts:
        return Path("tests/unit/dialer/store/test_migrations.py")
    if path.name != "__init__.py":
        return Path("tests/unit", path.parent, f"test_{path.name}")
    if not any(isinstance(n, ast.FunctionDef | ast.ClassDef) for n in parse(path).body):
        return None
    return Path("tests/unit", path.parent.parent, f"test_{path.parent.name}.py")


def test_no_rooms_that_hold_everything() -> None:
    banned = {"utils", "helpers", "common", "manager", "misc"}
    assert not [path for path in MODULES if path.stem in banned]


def test_no_test_sleeps() -> None:
    broken = [
        f"{path}:{node.lineno} sleeps"
        for path in list_files("tests")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and is_sleep(node)
    ]
    assert broken == []


def is_sleep(call: ast.Call) -> bool:
    """asyncio.sleep or time.sleep of anything but 0."""
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "sleep"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"asyncio", "time"}
        and not (isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)
    )
