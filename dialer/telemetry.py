"""Logging: an event name plus fields, as console lines or JSON, in one place."""

import logging
import sys

import structlog

from dialer.settings import LogFormat

QUIET = (
    *("aiosqlite", "alembic", "asyncio", "httpcore", "httpx", "panoramisk", "uvicorn"),
    "ami.client",  # every step of every link; dialer.server_link tells what counts
)
"""Whose information says nothing to an operator; warnings are kept."""


def configure_logging(log_format: LogFormat, level: int = logging.INFO) -> None:
    """Send every log record of this process to standard error, in `log_format`."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
