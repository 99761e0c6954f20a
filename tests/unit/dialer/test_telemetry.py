"""Logging: one line a record, its fields kept, in the format asked for, and all of it masked."""

import json
import logging
import sys
import threading
import warnings
from errno import ENOSPC
from io import StringIO

import pytest

from dialer.settings import LogFormat
from dialer.telemetry import (
    MaskingHandler,
    conceal,
    configure_logging,
    guard_process,
    hide_secrets,
    report_crash,
)

NUMBER = "989121234567"
SECRET = "a-secret-that-was-concealed"
BOTH = pytest.mark.parametrize("log_format", list(LogFormat))


def test_json_lines_carry_event_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON)
    logging.getLogger("dialer.test").warning("link lost", extra={"server": "pbx1"})
    record = json.loads(capsys.readouterr().err)
    assert (record["event"], record["server"], record["level"]) == ("link lost", "pbx1", "warning")
    assert record["timestamp"].endswith("Z")


def test_console_lines_are_readable(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.CONSOLE)
    logging.getLogger("dialer.test").info("ready", extra={"port": 8080})
    line = capsys.readouterr().err
    assert "ready" in line
    assert "port=8080" in line


def test_libraries_keep_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.CONSOLE)
    logging.getLogger("aiosqlite").info("executing")
    assert capsys.readouterr().err == ""


def fail(text: str) -> None:
    try:
        raise ValueError(f"inside: {text}")
    except ValueError as error:
        raise ExceptionGroup(f"outside: {text}", [RuntimeError(text)]) from error


@BOTH
def test_message_fields_and_traceback_are_masked(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format)
    conceal(SECRET)
    text = f"{NUMBER} and {SECRET}"
    try:
        fail(text)
    except ExceptionGroup:
        logging.getLogger("other.library").exception(
            "gone %s %r", text, [text], extra={"why": text, "parts": {"x": [text]}}, stack_info=True
        )
    said = capsys.readouterr().err
    assert NUMBER not in said
    assert SECRET not in said
    assert said.count("***4567") >= 7
    assert "in fail" in said  # the traceback is there
    assert "RuntimeError" in said
    assert "Stack (most recent call last)" in said


@BOTH
def test_a_record_that_cannot_be_formatted_shows_no_arguments(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format)
    logging.getLogger("other.library").warning("%d calls", NUMBER)
    said = capsys.readouterr().err
    assert said == "a log record of other.library cannot be shown: TypeError\n"


class FullDisk(StringIO):
    """Takes nothing while it is full."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")
        return super().write(text)


def test_a_log_that_cannot_be_written_harms_nobody_and_says_later_what_is_missing() -> None:
    log, stream = logging.Logger("full"), FullDisk()
    log.addHandler(MaskingHandler(stream))
    log.warning("one")
    log.warning("%d calls", "two")
    stream.full = False
    log.warning("three")
    log.warning("four")
    assert stream.getvalue() == "2 log records could not be written\nthree\nfour\n"


@BOTH
def test_what_python_prints_by_itself_goes_through_the_mask(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(log_format)
    warnings.showwarning(UserWarning(NUMBER), UserWarning, "calls.py", 7)
    thread = threading.Thread(target=fail, args=(NUMBER,), name=f"lookup {NUMBER}")
    thread.start()
    thread.join()

    class Broken:
        def __del__(self) -> None:
            raise ValueError(NUMBER)

    del_ = Broken()
    del del_
    said = capsys.readouterr().err
    for event in ("a warning of Python's", "a thread failed", "an error that nobody can catch"):
        assert event in said
    assert NUMBER not in said
    assert "***4567" in said


def test_a_process_without_configured_logging_masks_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    guard_process()
    logging.getLogger("asyncio").error("lost %s", NUMBER)
    logging.getLogger("asyncio").info("not said")
    try:
        fail(NUMBER)
    except ExceptionGroup as error:
        report_crash(error)
    said = capsys.readouterr().err
    assert said.startswith("lost ***4567\nthe command failed\n")
    assert "in fail" in said
    assert NUMBER not in said
    assert "not said" not in said


def test_texts_for_their_author_keep_their_numbers() -> None:
    conceal(SECRET)
    assert hide_secrets(f"{NUMBER} {SECRET}") == f"{NUMBER} ***"


def test_an_exit_of_a_thread_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.CONSOLE)
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    assert capsys.readouterr().err == ""
