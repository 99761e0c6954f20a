"""The command `dialer`."""

import errno
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version as find_version
from importlib.util import find_spec
from typing import Annotated, Final

import typer

from dialer.errors import CoordinationUnavailable, DialerError, StoreUnavailable
from dialer.telemetry import guard_process, hide_secrets, report_crash

GROUPS: Final = {
    "servers": "Asterisk servers: add, set, list, remove, check.",
    "clients": "Clients: add, set, show, list, policy, allocate, rotate-key, signing-secret …",
    "queues": "Queues: list, set.",
    "deliveries": "Callbacks and CDRs on their way out: list, show, retry.",
    "cdrs": "Call detail records: export.",
    "trace": "Recorded AMI traffic: show, stats, slice, anonymize.",
    "db": "The database: upgrade.",
}
"""Commands with commands of their own; each is `app` in its module."""

MODULES: Final = {
    "run": "run",
    "api": "api",
    "worker": "worker",
    "deliver": "deliver",
    "demo": "demo",
    "load": "load",
    "pause": "steering",
    "resume": "steering",
    "status": "status",
    "audit": "audit",
    "record": "record",
    "replay": "replay",
    "simulate": "simulate",
    "servers": "servers",
    "clients": "clients",
    "queues": "queues",
    "deliveries": "deliveries",
    "cdrs": "cdrs",
    "trace": "trace",
    "db": "database",
}
"""Every command and its module here; a plain command is the function of its name. A new command
is one more line."""

# The base of everything that a wrong command line raises. Which package holds it depends on
# Typer's version.
_WrongUsage: Final[type[Exception]] = typer.BadParameter.__mro__[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit code. Wrong input and wrong settings are one sentence and 2,
    what could not be done now (the database is locked) is one sentence and 1, as a mistake of our
    own is, with its traceback. No text holds a secret."""
    guard_process()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app = build_app(words[:1])
        return int(app(words, prog_name="dialer", standalone_mode=False) or 0)
    except typer.Abort:
        return 130
    except DialerError as error:
        typer.echo(hide_secrets(str(error)), err=True)
        return 1 if isinstance(error, StoreUnavailable | CoordinationUnavailable) else 2
    except _WrongUsage as error:
        format_message: Callable[[], str] = getattr(error, "format_message", error.__str__)
        typer.echo(hide_secrets(format_message()), err=True)
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            report_crash(error)
            return 1
        typer.echo(f"not all could be written: {error.strerror}", err=True)
        return 1
    except (Exception, BaseExceptionGroup) as error:
        report_crash(error)
        return 1


def build_app(words: Sequence[str] = ()) -> typer.Typer:
    """The application. When the first word names a command, only that one is imported: the whole
    product takes a second."""
    app = typer.Typer(
        help="A dialer engine for Asterisk.",
        no_args_is_help=True,
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_no_options)
    wanted = [name for name in MODULES if name in words] or list(MODULES)
    for name in wanted:
        path = f"dialer.cli.{MODULES[name]}"
        if find_spec(path) is None:
            continue
        module = import_module(path)
        if name in GROUPS:
            app.add_typer(module.app, name=name, help=GROUPS[name], no_args_is_help=True)
        else:
            app.command(name)(getattr(module, name))
    return app


def _no_options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A dialer engine for Asterisk: batches of calls in, calls out, a record for every attempt.

    Example: dialer run
    """
    if version:
        typer.echo(f"ami-dialer {find_version('ami-dialer')}")
        raise typer.Exit
