"""Logging: one line a record, fields kept, in the format that was asked for."""

import json
import logging

import pytest

from dialer.settings import LogFormat
from dialer.telemetry import configure_logging


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
