"""`dialer servers`: the Asterisk servers."""

import asyncio
import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table

from ami import UNWANTED, AmiError, ServerReport, inspect_server
from dialer.cli.workspace import (
    given,
    make_console,
    name_operator,
    need_something,
    no_limit_at_zero,
    show_limit,
    with_store,
)
from dialer.errors import NotFound, SettingsError
from dialer.policy import check_text
from dialer.recording import CONTEXT, EXTEN
from dialer.store.contract import Server, Store
from dialer.telemetry import conceal, hide_secrets
from dialer.upkeep import address_of

app = typer.Typer()

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_RECORDING: Final = {
    True: f"recording: the dialplan has the context {CONTEXT}",
    False: f"recording: the dialplan has no extension {EXTEN} in the context {CONTEXT}: calls that "
    "are to be recorded will fail",
    None: f"recording: whether the dialplan has the context {CONTEXT} could not be asked",
}

CALL_ID_CONTEXT: Final = "dialer-call-id"

_CALL_IDS: Final = {
    True: f"SIP Call-IDs: the dialplan has the context {CALL_ID_CONTEXT}; told of every endpoint "
    "whose set_var names it",
    False: f"SIP Call-IDs: the dialplan has no context {CALL_ID_CONTEXT}: CDRs have none",
    None: f"SIP Call-IDs: whether the dialplan has {CALL_ID_CONTEXT} could not be asked",
}

Code = Annotated[str, typer.Argument(help="The server's code, as items name it.")]
Tls = Annotated[bool | None, typer.Option("--tls/--no-tls", help="AMI over TLS (port 5039).")]
SecretEnv = Annotated[
    str | None, typer.Option(help="NAME of the environment variable with the AMI secret.")
]
SecretFile = Annotated[str | None, typer.Option(help="Or the file that holds it.")]
MaxChannels = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Most calls at a time (0: no limit). Calls are counted: a call with a second leg, "
        "like Dial, takes two Asterisk channels.",
    ),
]
MaxCps = Annotated[
    float | None, typer.Option(min=0, help="Most calls started in a second (0: no limit).")
]

RecordingUrl = Annotated[
    str | None,
    typer.Option(
        help="Where its recordings' folder is served, for the recording_url of CDRs "
        "('' for none: they then hold file:// addresses)."
    ),
]


@app.command()
def add(
    code: Code,
    host: Annotated[str, typer.Option(help="Its address.")],
    username: Annotated[str, typer.Option(help="The AMI user.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its AMI port.")] = 5038,
    secret_env: SecretEnv = None,
    secret_file: SecretFile = None,
    tls: Tls = None,
    max_channels: MaxChannels = None,
    max_cps: MaxCps = None,
    recording_url: RecordingUrl = None,
) -> None:
    """Add an Asterisk server. Its AMI secret is named here, never stored.

    Example: dialer servers add pbx1 --host 10.0.0.5 --port 5038 --username dialer --secret-env
    PBX1_SECRET --max-channels 30 --max-cps 5
    """
    if not _CODE.fullmatch(code):
        raise SettingsError("a server's code may hold letters, digits and _ . - only, 64 at most")
    if (secret_env is None) == (secret_file is None):
        raise SettingsError("give the AMI secret with one of --secret-env and --secret-file")
    limits: dict[str, Any] = {"max_channels": max_channels, "max_cps": max_cps}
    no_limit_at_zero(limits, "max_channels", "max_cps")
    check_server(
        given(host=host, username=username, secret_env=secret_env, recording_url=recording_url)
    )
    server = Server(
        0, code, host, port, username, secret_env, secret_file, bool(tls),
        recording_url=recording_url or None, **limits,
    )  # fmt: skip

    async def work(store: Store) -> None:
        await store.add_server(server, await store.read_clock(), name_operator())

    with_store(work)
    typer.echo(f"server {code} is added; try it with: dialer servers check {code}")


@app.command(name="set")
def set_(
    code: Code,
    host: Annotated[str | None, typer.Option(help="Its address.")] = None,
    username: Annotated[str | None, typer.Option(help="The AMI user.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Its AMI port.")] = None,
    secret_env: SecretEnv = None,
    secret_file: SecretFile = None,
    tls: Tls = None,
    max_channels: MaxChannels = None,
    max_cps: MaxCps = None,
    recording_url: RecordingUrl = None,
) -> None:
    """Change a server; a running worker follows within a second.

    Example: dialer servers set pbx1 --max-channels 60
    """
    changes = given(
        host=host,
        username=username,
        port=port,
        tls=tls,
        max_channels=max_channels,
        max_cps=max_cps,
        recording_url=recording_url,
    )
    if secret_env is not None and secret_file is not None:
        raise SettingsError("give the AMI secret with one of --secret-env and --secret-file")
    if secret_env is not None or secret_file is not None:
        changes |= {"secret_env": secret_env, "secret_file": secret_file}
    need_something(changes)
    check_server(changes)
    no_limit_at_zero(changes, "max_channels", "max_cps")
    if recording_url == "":
        changes["recording_url"] = None
    change_server(code, changes)
    typer.echo(f"server {code} is changed")


def check_server(fields: dict[str, Any]) -> None:
    """Refuse texts that no server can have. Raises `SettingsError` and `Refused`."""
    for name in ("host", "username"):
        if name in fields:
            check_text(name, fields[name])
            if not fields[name].strip():
                raise SettingsError(f"--{name} is empty")
    variable = fields.get("secret_env")
    if variable is not None and not _VARIABLE.fullmatch(variable):
        raise SettingsError("--secret-env is the name of an environment variable, not the secret")
    if fields.get("recording_url"):
        check_text("recording_url", fields["recording_url"])
        if not _is_folder_url(fields["recording_url"]):
            raise SettingsError("--recording-url is http:// or https:// with a host and no query")


def _is_folder_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or " " in text)
    return bool(host) and parts.scheme in ("http", "https") and plain


@app.command(name="list")
def list_() -> None:
    """List the servers.

    Example: dialer servers list
    """
    table = Table("code", "host", "port", "user", "secret", "tls", "channels", "cps", "state")
    for server in with_store(lambda store: store.servers()):
        table.add_row(
            server.code,
            server.host,
            str(server.port),
            server.username,
            f"${server.secret_env}" if server.secret_env else server.secret_file,
            "yes" if server.tls else "no",
            show_limit(server.max_channels),
            show_limit(server.max_cps),
            "paused" if server.paused else "active",
        )
    make_console().print(table)


@app.command()
def remove(code: Code) -> None:
    """Remove a server: nothing more is dialed there. Its records stay.

    Items that wait for it stay too, until it is added again or their queue is completed.

    Example: dialer servers remove pbx1
    """
    change_server(code, {"removed": True})
    typer.echo(f"server {code} is removed")


def change_server(code: str, changes: dict[str, object]) -> None:
    """Raises `NotFound`."""

    async def work(store: Store) -> None:
        await store.change_server(code, changes, await store.read_clock(), name_operator())

    with_store(work)


@app.command()
def check(code: Code) -> None:
    """Log in to a server and say what it is, what our user may do there, and its clock.

    Also whether its dialplan has the contexts for recorded calls and for SIP Call-IDs.

    Exit 0 when calls can be dialed there as they should, else 1.

    Example: PBX1_SECRET=… dialer servers check pbx1
    """
    server = with_store(lambda store: find_server(store, code))
    address = address_of(server)
    conceal(address.secret)
    try:
        report = asyncio.run(inspect_server(address, contexts=(CONTEXT, CALL_ID_CONTEXT)))
    except AmiError as error:
        why = hide_secrets(str(error))
        typer.echo(f"server {code} at {server.host}:{server.port}: {why}", err=True)
        raise typer.Exit(1) from None
    print_report(report, make_console())
    raise typer.Exit(1 if report.warnings else 0)


async def find_server(store: Store, code: str) -> Server:
    for server in await store.servers():
        if server.code == code:
            return server
    raise NotFound(f"there is no server {code}")


def print_report(report: ServerReport, console: Console) -> None:
    console.print(f"Asterisk {report.asterisk_version} ({report.system_name or 'no system name'})")
    console.print(f"AMI {report.ami_version}, started {report.startup or 'at an unknown time'}")
    console.print(f"round trip {report.round_trip * 1000:.1f} ms")
    skew = "unknown" if report.skew is None else f"{report.skew:+.3f} s"
    console.print(f"clock skew {skew}, event timestamps {'on' if report.timestamps else 'off'}")
    for name, held in report.privileges.items():
        rightly = "" if held or name not in UNWANTED else ", as it should"
        console.print(f"  {'has  ' if held else 'lacks'} {name}{rightly}")
    console.print(_RECORDING[report.contexts.get(CONTEXT)])
    console.print(_CALL_IDS[report.contexts.get(CALL_ID_CONTEXT)])
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow")
