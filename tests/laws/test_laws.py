"""The laws of the house, enforced: imports, sizes, and a test module for every module."""

import ast
from collections.abc import Iterator
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
    "ami/legs.py",
    "ami/link.py",
    "ami/reports.py",
    "ami/translate.py",
    "ami/wire.py",
    "dialer/applications.py",
    "dialer/attempts.py",
    "dialer/batch.py",
    "dialer/bodies.py",
    "dialer/cdr.py",
    "dialer/clients.py",
    "dialer/errors.py",
    "dialer/fairness.py",
    "dialer/ids.py",
    "dialer/items.py",
    "dialer/lanes.py",
    "dialer/loading.py",
    "dialer/originate.py",
    "dialer/pacing.py",
    "dialer/planner.py",
    "dialer/policy.py",
    "dialer/quick_call.py",
    "dialer/reconcile.py",
    "dialer/reporting.py",
    "dialer/retry.py",
    "dialer/states.py",
    "dialer/variables.py",
    "dialer/delivery/address.py",
    "dialer/delivery/backlog.py",
    "dialer/delivery/callback.py",
    "dialer/delivery/schedule.py",
    "dialer/delivery/sgapi.py",
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
    "dialer/coordination/contract.py",
}
"""Modules without logic of their own."""


def modules() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in found)


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", modules(), ids=str)
def test_foreign_words_stop_in_one_place(path: Path) -> None:
    for name in imports(parse(path)):
        top = name.partition(".")[0]
        if top in FENCES:
            assert str(path).startswith(FENCES[top]), f"{path} imports {name}"


@pytest.mark.parametrize("path", [p for p in modules() if p.parts[0] == "ami"], ids=str)
def test_ami_knows_no_business(path: Path) -> None:
    assert not [name for name in imports(parse(path)) if name.partition(".")[0] == "dialer"]


@pytest.mark.parametrize("path", [p for p in modules() if p.parts[0] == "dialer"], ids=str)
def test_the_dialer_sees_only_what_ami_exports(path: Path) -> None:
    inner = [name for name in imports(parse(path)) if name.startswith("ami.")]
    assert [name for name in inner if not name.startswith("ami.simulator")] == []


@pytest.mark.parametrize("name", CORE)
def test_the_core_is_pure(name: str) -> None:
    tree = parse(Path(name))
    assert not {imported.partition(".")[0] for imported in imports(tree)} & NOT_IN_CORE
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in CLOCK_OWNERS
        ):
            assert node.func.attr not in CLOCK_CALLS, f"{name}:{node.lineno} asks a clock"


def every_python_file() -> list[Path]:
    found = [p for top in (*PACKAGES, "tests", "bench", "lab") for p in (ROOT / top).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in found)


@pytest.mark.parametrize("path", every_python_file(), ids=str)
def test_sizes(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    if "versions" in path.parts:
        return  # a migration is one list of steps, and never changed again
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_every_module_has_its_test_module(path: Path) -> None:
    if str(path) in UNTESTED_ALONE or "migrations" in path.parts:
        return
    if path.name == "__init__.py":
        names = [n for n in parse(path).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        if not names:
            return
        expected = ROOT / "tests" / "unit" / path.parent.parent / f"test_{path.parent.name}.py"
    else:
        expected = ROOT / "tests" / "unit" / path.parent / f"test_{path.name}"
    assert expected.exists(), f"{path} has no {expected.relative_to(ROOT)}"


def test_no_names_of_rooms_that_hold_everything() -> None:
    banned = {"utils", "helpers", "common", "manager", "misc"}
    assert not [path for path in modules() if path.stem in banned]


def test_no_test_sleeps() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "sleep"
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"asyncio", "time"}
            ):
                zero = isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
                assert zero, f"{path.relative_to(ROOT)}:{node.lineno} sleeps"
