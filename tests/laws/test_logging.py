"""The laws of what a process says: one way out, which masks, and texts that carry no data."""

import ast
from pathlib import Path

from tests.laws.test_laws import MODULES, parse

METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log", "warn"}
MAY_PRINT = ("dialer/cli/", "ami/simulator/__main__.py")
"""Where a person reads what a command answers."""

OWN_WAY_OUT = ("dialer/telemetry.py",)


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]


def is_log_call(call: ast.Call) -> bool:
    """`log.warning(…)`, `logging.getLogger(…).warning(…)`."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in METHODS:
        return False
    if isinstance(owner, ast.Name):
        return owner.id in ("log", "logger", "logging")
    made = owner.func if isinstance(owner, ast.Call) else None
    return isinstance(made, ast.Attribute) and made.attr == "getLogger"


def test_there_are_log_calls_to_judge() -> None:
    assert sum(is_log_call(call) for path in MODULES for call in calls(path)) > 20


def test_messages_are_constant_and_data_goes_into_fields() -> None:
    """What is formatted into a message is no field: neither its name nor its type tells the mask
    whether it is an id or a number, and a collector of logs cannot group it."""
    broken = []
    for path in MODULES:
        for call in calls(path):
            if not is_log_call(call):
                continue
            assert isinstance(call.func, ast.Attribute)
            texts = call.args[1:] if call.func.attr == "log" else call.args
            constant = len(texts) == 1 and isinstance(texts[0], ast.Constant)
            if not constant or {k.arg for k in call.keywords} - {"extra", "exc_info"}:
                broken.append(f"{path}:{call.lineno}")
    assert broken == []


def test_nothing_prints_but_commands() -> None:
    broken = [
        f"{path}:{call.lineno}"
        for path in MODULES
        if not str(path).startswith(MAY_PRINT)
        for call in calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert broken == []


def test_nothing_writes_to_the_standard_streams_past_the_log() -> None:
    broken = [
        f"{path}:{node.lineno}"
        for path in MODULES
        if not str(path).startswith((*MAY_PRINT, *OWN_WAY_OUT))
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr)
        in {
            ("sys", "stderr"),
            ("sys", "stdout"),
            ("traceback", "print_exc"),
            ("traceback", "print_exception"),
            ("logging", "basicConfig"),
        }
    ]
    assert broken == []
