"""The command as a whole: help, examples, wrong input."""

import errno
import os
import re
from collections.abc import Iterator

import pytest

from dialer.cli import GROUPS, MODULES, build_app, main

COMMANDS = {
    "run": [],
    "load": [],
    "pause": [],
    "resume": [],
    "status": [],
    "audit": [],
    "servers": ["add", "set", "list", "remove", "check"],
    "clients": ["add", "set", "policy", "allocate", "list", "rotate-key", "suspend"],
    "db": ["upgrade"],
}


def every_command() -> Iterator[tuple[str, ...]]:
    for name, parts in COMMANDS.items():
        if not parts:
            yield (name,)
        for part in parts:
            yield (name, part)


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_every_command_has_help_with_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    example = printed.partition("Example: ")[2]
    assert f"dialer {' '.join(words)}" in example


def test_every_listed_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert [name for name in COMMANDS if f" {name} " not in printed] == []
    assert set(GROUPS) <= set(MODULES)


def test_one_word_imports_one_command() -> None:
    app = build_app(["pause"])
    assert [command.name for command in app.registered_commands] == ["pause"]
    assert app.registered_groups == []


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        (["nonsense"], "nonsense"),
        (["servers", "nonsense"], "nonsense"),
        (["servers", "add"], "code"),
        (["status", "--nonsense"], "--nonsense"),
        (["clients", "add", "A", "--accountcode", "a", "--channels", "many"], "--channels"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    words: list[str], saying: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert saying in printed.err.lower()
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_no_word_at_all_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "servers" in printed.out + printed.err


def test_a_full_disk_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(words: object) -> None:
        raise failure

    monkeypatch.setattr("dialer.cli.build_app", fail)
    assert main(["replay", "x.trace"]) == 1
    assert capsys.readouterr().err == "not all could be written: No space left on device\n"
    failure.errno = errno.EIO
    assert main(["replay", "x.trace"]) == 1
    assert "No space left" not in capsys.readouterr().err
