"""The Lua scripts: what happens at Redis in one step. Each begins with `prelude.lua`."""

from enum import StrEnum
from pathlib import Path

_FOLDER = Path(__file__).parent / "lua"


class Script(StrEnum):
    """A script's file, which says what it takes and answers."""

    ENTER = "enter"
    BEAT = "beat"
    BATCH = "batch"
    REBUILD = "rebuild"
    JUMP = "jump"
    READ = "read"
    LEAVE = "leave"


def read_script(script: Script) -> str:
    """Its whole text, as Redis gets it."""
    prelude = (_FOLDER / "prelude.lua").read_text(encoding="utf-8")
    return prelude + (_FOLDER / f"{script}.lua").read_text(encoding="utf-8")
