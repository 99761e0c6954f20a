"""Logging: an event name plus fields, as console lines or JSON, in one place.

Everything that this process says goes through here and is masked on its way (`dialer.redaction`):
records of every logger, libraries' among them, tracebacks, warnings, and what Python itself would
print of an error that nobody caught.
"""

import logging
import sys
import threading
import warnings
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final, TextIO

from dialer.redaction import Redactor

if TYPE_CHECKING:  # it takes pydantic with it, a tenth of a second
    from dialer.settings import LogFormat

log = logging.getLogger(__name__)

QUIET: Final = (
    *("aiosqlite", "alembic", "asyncio", "httpcore", "httpx", "panoramisk", "uvicorn"),
    "ami.client",  # every step of every link; dialer.server_link tells what counts
)
"""Whose information says nothing to an operator; warnings are kept."""

_redactor: Final = Redactor()


def conceal(*secrets: str | None) -> None:
    """Never show these in what this process says from now on."""
    _redactor.learn(*secrets)


def hide_secrets(text: str) -> str:
    """`text` fit for the operator who gave it: without secrets, with its numbers."""
    return _redactor.hide_secrets(text)


def configure_logging(log_format: "LogFormat", level: int = logging.INFO) -> None:
    """Send every log record of this process to standard error, in `log_format`."""
    handler = MaskingHandler(sys.stderr)
    handler.setFormatter(make_formatter(log_format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    guard_process()


def guard_process() -> None:
    """Send what Python prints by itself to the log: warnings, errors in threads and destructors,
    and the last words of a process whose logging nobody configured."""
    last_resort = MaskingHandler(sys.stderr)
    last_resort.setLevel(logging.WARNING)
    last_resort.setFormatter(MaskingFormatter())
    logging.lastResort = last_resort
    warnings.showwarning = _on_warning
    threading.excepthook = _on_thread_error
    sys.unraisablehook = _on_unraisable


def report_crash(error: BaseException) -> None:
    """The last words of a command that failed by our own mistake: its traceback, masked."""
    log.critical("the command failed", exc_info=error)


class MaskingHandler(logging.StreamHandler[TextIO]):
    """A stream handler that does not print a record which it could not format, as logging's own
    would, with all its arguments. A log that cannot be written (its disk is full) harms nobody:
    how much is missing is said when there is room again."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._missing = 0

    def emit(self, record: logging.LogRecord) -> None:
        if self._missing and self._say(f"{self._missing} log records could not be written"):
            self._missing = 0
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Say that there was a record, and where it came from."""
        error = sys.exception()
        said = f"a log record of {record.name} cannot be shown: {type(error).__name__}"
        if isinstance(error, OSError) or not self._say(said):
            self._missing += 1

    def _say(self, line: str) -> bool:
        """Write a line of our own; whether that was possible."""
        try:
            self.stream.write(f"{line}\n")
            self.stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            return False
        return True


class MaskingFormatter(logging.Formatter):
    """Plain lines, masked, for a process without configured logging."""

    def format(self, record: logging.LogRecord) -> str:
        return _redactor.redact(super().format(record))


def make_formatter(log_format: "LogFormat") -> logging.Formatter:
    """The formatter of all records: fields, then masking, then the rendering, which comes last so
    that nothing is added behind the mask."""
    import structlog  # a tenth of a second, which commands that log nothing do without

    from dialer.settings import LogFormat

    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            mask_event,
            renderer,
        ],
    )


def mask_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor that masks every field, the message and the traceback among them."""
    return {name: _redactor.redact_field(name, value) for name, value in event.items()}


def _on_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    fields = {"category": category.__name__, "why": str(message), "file": filename, "line": lineno}
    logging.getLogger("py.warnings").warning("a warning of Python's", extra=fields)


def _on_thread_error(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit:
        fields = {"thread": failed.thread.name if failed.thread else None}
        log.error("a thread failed", exc_info=failed.exc_value, extra=fields)


def _on_unraisable(failed: "sys.UnraisableHookArgs") -> None:
    fields = {"why": failed.err_msg, "object": repr(failed.object)}
    log.error("an error that nobody can catch", exc_info=failed.exc_value, extra=fields)
