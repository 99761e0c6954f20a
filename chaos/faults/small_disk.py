"""A file system of a few megabytes, for one process and its children: a tmpfs in a mount namespace
of their own, for which no privileges are needed where the system lets users have namespaces."""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, TypeVar

R = TypeVar("R")

_NEW_MOUNTS: Final = 0x00020000  # CLONE_NEWNS
_NEW_USERS: Final = 0x10000000  # CLONE_NEWUSER
_PRIVATE: Final = 1 << 18 | 1 << 14  # MS_PRIVATE | MS_REC
_DETACH: Final = 2  # MNT_DETACH


class NoNamespace(Exception):
    """This system lets us have no file system of our own."""


def run_on(folder: Path, size: int, work: Callable[..., R], *arguments: object) -> R:
    """`work(*arguments)` in a process that has `size` bytes of its own at `folder`, which exists.
    Both must be importable there. Raises `NoNamespace`, or what `work` raised as RuntimeError."""
    ours, theirs = get_context("spawn").Pipe()
    order = (theirs, str(folder), size, work, arguments)
    process = get_context("spawn").Process(target=_serve, args=order)
    process.start()
    theirs.close()
    try:
        kind, result = ours.recv()
    except EOFError:
        kind, result = "failed", "the process ended without a word"
    except KeyboardInterrupt:
        process.terminate()  # else it would be waited for
        raise
    process.join()
    if kind == "none":
        raise NoNamespace(result)
    if kind == "failed":
        raise RuntimeError(result)
    done: R = result
    return done


@contextmanager
def small_disks(folders: Sequence[Path], size: int) -> Iterator[None]:
    """Each of `folders`, which exist and are empty, has `size` bytes of its own until the block is
    left: for this process, which has no other thread, and those that it starts. Raises
    `NoNamespace`."""
    try:
        _separate()
        for folder in folders:
            _mount(folder, size)
    except OSError as error:
        raise NoNamespace(f"no file system of our own: {error.strerror}") from None
    try:
        yield
    finally:
        for folder in folders:
            _call("umount2", os.fsencode(folder), _DETACH)


def _serve(
    pipe: "Connection[Any, Any]",
    folder: str,
    size: int,
    work: Callable[..., object],
    arguments: tuple[object, ...],
) -> None:
    try:
        _separate()
        _mount(Path(folder), size)
    except OSError as error:
        pipe.send(("none", f"no file system of our own: {error.strerror}"))
        return
    try:
        pipe.send(("done", work(*arguments)))
    except Exception as error:
        pipe.send(("failed", f"{type(error).__name__}: {error}"))


def _separate() -> None:
    """Who may not mount gets users of its own, among whom it may; other users are lost to it."""
    user, group = os.getuid(), os.getgid()
    if user == 0:
        with suppress(OSError):  # root without this privilege
            _call("unshare", _NEW_MOUNTS)
            _call("mount", b"none", b"/", None, _PRIVATE, None)
            return
    _call("unshare", _NEW_MOUNTS | _NEW_USERS)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _call("mount", b"none", b"/", None, _PRIVATE, None)


def _mount(folder: Path, size: int) -> None:
    _call("mount", b"none", os.fsencode(folder), b"tmpfs", 0, f"size={size},mode=0700".encode())


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
