"""A file system of a few megabytes, for one process: real, and gone with it."""

from errno import ENOSPC
from pathlib import Path

import pytest

from chaos.faults.small_disk import NoNamespace, run_on
from tests.required import skip_unless_required

pytestmark = pytest.mark.io

SIZE = 1 << 20


def fill_up(folder: Path) -> tuple[int, int]:
    """Bytes that a file took, and the error that the next one met."""
    file = folder / "file"
    with file.open("wb", buffering=0) as opened:
        try:
            while opened.write(bytes(4096)):
                pass
        except OSError as error:
            return file.stat().st_size, error.errno or 0
    return file.stat().st_size, 0


def fail(folder: Path) -> None:
    raise ValueError(f"nothing in {folder.name}")


def test_it_is_full_when_it_is_full_and_nobody_else_sees_it(tmp_path: Path) -> None:
    try:
        taken, error = run_on(tmp_path, SIZE, fill_up, tmp_path)
    except NoNamespace as none:
        skip_unless_required(str(none))
    assert error == ENOSPC
    assert SIZE / 2 < taken <= SIZE
    assert list(tmp_path.iterdir()) == []


def test_what_the_work_raises_is_told(tmp_path: Path) -> None:
    try:
        with pytest.raises(RuntimeError, match=f"ValueError: nothing in {tmp_path.name}"):
            run_on(tmp_path, SIZE, fail, tmp_path)
    except NoNamespace as none:
        skip_unless_required(str(none))
