"""`dialer clients`: the tenants, by the same rules as the HTTP API."""

from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.table import Table

from dialer.applications import parse_default
from dialer.cli.workspace import (
    given,
    make_console,
    name_operator,
    need_something,
    no_limit_at_zero,
    none_when_empty,
    show_limit,
    with_store,
)
from dialer.clients import check_client, read_client
from dialer.delivery.signing import derive_secret, show_secret
from dialer.dialects import CdrMapping, Shape
from dialer.errors import NotFound, SettingsError
from dialer.keys import make_key
from dialer.policy import DEFAULT_POLICY, is_dial_part
from dialer.policy_lists import LISTS, change_policy, show_list
from dialer.settings import load_settings
from dialer.signing_key import load_signing_key
from dialer.states import CallbackEvent
from dialer.store.contract import Client, Signing, Store

app = typer.Typer()

Account = Annotated[str, typer.Argument(help="The client's accountcode.", metavar="ACCOUNTCODE")]
RateLimit = Annotated[
    int | None, typer.Option(min=0, help="Most HTTP requests in a minute (0: no limit).")
]
PolicyChanges = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUES",
        help="A list of what it may do: NAME=VALUES, NAME+=VALUES or NAME-=VALUES, "
        "NAME=* for all, NAME= for nothing, NAME=default; repeat. See docs/walls.md.",
    ),
]
CallbackShape = Annotated[
    Shape | None, typer.Option(help="What its callbacks look like (docs/cdr-mapping.md).")
]
CallbackEvents = Annotated[
    str | None,
    typer.Option(
        metavar="EVENTS",
        help="Callbacks about calls that go on: call_started, call_answered, or both with a comma "
        "between.",
    ),
]
Mapping = Annotated[CdrMapping | None, typer.Option(help="Of /v2/cdr, where a request names none.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name.")],
    accountcode: Annotated[str, typer.Option(help="Its accountcode, also on every call.")],
    channels: Annotated[int, typer.Option(min=0, help="Most calls at a time (0: none).")],
    callback: Annotated[str | None, typer.Option(help="Where its results are posted.")] = None,
    server: Annotated[
        list[str] | None, typer.Option(help="A server it may use; repeat. None: all.")
    ] = None,
    superuser: Annotated[bool, typer.Option(help="May create clients.")] = False,
    username: Annotated[str | None, typer.Option(help="Default: the accountcode.")] = None,
    did: Annotated[str | None, typer.Option(help="Its default caller ID.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Of its quick calls.")] = None,
    callback_shape: CallbackShape = None,
    callback_events: CallbackEvents = None,
    cdr_mapping: Mapping = None,
) -> None:
    """Add a client and print its API key, which is shown this once.

    Example: dialer clients add "Acme Ltd" --accountcode acme --channels 10 --callback
    https://acme.example/cdr --server pbx1
    """
    settings = load_settings()
    content = {
        "name": name,
        "accountcode": accountcode,
        "username": username or accountcode,
        "allocated_channels": channels,
        "callbackurl": callback,
        "is_superuser": superuser,
        "did": did,
        "callback_shape": callback_shape,
        "cdr_mapping": cdr_mapping,
        "callback_events": sorted(read_events(callback_events or "")),
    }
    check_changes(given(endpoint=endpoint), settings.callback_allow_private)

    async def work(store: Store) -> str:
        now = await store.read_clock()
        client = read_client(content, settings.callback_allow_private, now)
        ids = await find_servers(store, server or [])
        key, stored = make_key(await store.installation_secret())
        made = replace(client, server_ids=ids, endpoint=endpoint or None)
        await store.add_client(made, stored, now, name_operator())
        return key

    print_key(accountcode, with_store(work, settings))


async def find_servers(store: Store, codes: list[str]) -> frozenset[int]:
    """The ids of the servers named. Raises `NotFound`."""
    known = {server.code: server.id for server in await store.servers()}
    for code in codes:
        if code not in known:
            raise NotFound(f"there is no server {code}")
    return frozenset(known[code] for code in codes)


def print_key(accountcode: str, key: str) -> None:
    typer.echo(f"client {accountcode}: this is its API key; it is not shown again", err=True)
    typer.echo(key)


@app.command(name="set")
def set_(
    accountcode: Account,
    channels: Annotated[
        int | None, typer.Option(min=0, help="Most calls at a time (0: none).")
    ] = None,
    cps: Annotated[
        float | None, typer.Option(min=0, help="Most calls started in a second (0: no limit).")
    ] = None,
    callback: Annotated[str | None, typer.Option(help="Where its results are posted.")] = None,
    did: Annotated[str | None, typer.Option(help="Its default caller ID.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Of its quick calls.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Before the number of quick calls.")] = None,
    default_application: Annotated[
        str | None, typer.Option(help="App or App(arguments), for items without one.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Like Asia/Tehran.")] = None,
    rate_limit: RateLimit = None,
    callback_shape: CallbackShape = None,
    callback_events: CallbackEvents = None,
    cdr_mapping: Mapping = None,
    policy: PolicyChanges = None,
) -> None:
    """Change a client; '' takes a text away. A running worker follows within a second.

    Example: dialer clients set acme --channels 20 --cps 5 --default-application "Playback(hello)"
    --policy prefixes=98,+98 --policy dial_options+=g
    """
    settings = load_settings()
    changes = given(
        allocated_channels=channels,
        max_cps=cps,
        callback_url=callback,
        did=did,
        endpoint=endpoint,
        prefix=prefix,
        default_application=default_application,
        timezone=time_zone,
        rate_limit=rate_limit,
        callback_shape=callback_shape,
        cdr_mapping=cdr_mapping,
    )
    if callback_events is not None:
        changes["callback_events"] = read_events(callback_events)
    need_something(changes | given(policy=policy))
    none_when_empty(changes, "callback_url", "did", "endpoint", "prefix", "default_application")
    no_limit_at_zero(changes, "max_cps", "rate_limit")
    check_changes(changes, settings.callback_allow_private)

    async def work(store: Store) -> None:
        if policy:
            lists = (await store.client(accountcode)).policy
            for text in policy:
                lists = change_policy(lists, text)
            changes["policy"] = lists
        now = await store.read_clock()
        await store.change_client(accountcode, changes, now, name_operator())

    with_store(work, settings)
    typer.echo(f"client {accountcode} is changed")


def read_events(text: str) -> frozenset[CallbackEvent]:
    """The events that `text` names, with commas between. Raises `SettingsError`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        return frozenset(CallbackEvent(name) for name in names)
    except ValueError as error:
        known = ", ".join(CallbackEvent)
        raise SettingsError(f"--callback-events '{text}': there are {known}") from error


def check_changes(changes: dict[str, Any], allow_private: bool) -> None:
    """Refuse what a client cannot have. Raises `Refused` and `SettingsError`."""
    check_client(changes, allow_private)
    for name in ("endpoint", "prefix"):
        value = changes.get(name)
        if value is not None and not is_dial_part(value):
            raise SettingsError(f"--{name} '{value}' cannot stand in a dial string")
    parse_default(changes.get("default_application"))


@app.command()
def show(accountcode: Account) -> None:
    """Show all settings of a client but its policy.

    Example: dialer clients show acme
    """

    async def work(store: Store) -> tuple[Client, dict[int, str]]:
        return await store.client(accountcode), {s.id: s.code for s in await store.servers()}

    client, codes = with_store(work)
    servers = sorted(codes.get(id_, "removed") for id_ in client.server_ids)
    table = Table("setting", "value")
    for name, value in (
        ("id", client.id),
        ("name", client.name),
        ("accountcode", client.accountcode),
        ("username", client.username),
        ("state", show_state(client)),
        ("superuser", "yes" if client.is_superuser else "no"),
        ("channels", client.allocated_channels),
        ("calls a second", show_limit(client.max_cps)),
        ("requests a minute", show_limit(client.rate_limit)),
        ("servers", ", ".join(servers) or "all"),
        ("callback", client.callback_url),
        ("callback shape", client.callback_shape.value),
        ("callback events", ", ".join(sorted(client.callback_events)) or "of ends alone"),
        ("mapping of /v2/cdr", client.cdr_mapping.value),
        ("did", client.did),
        ("phone number", client.phone_number),
        ("endpoint", client.endpoint),
        ("prefix", client.prefix),
        ("default application", client.default_application or "Wait(1)"),
        ("time zone", client.timezone),
    ):
        table.add_row(name, "" if value is None else str(value))
    make_console().print(table)


@app.command(name="policy")
def policy_(accountcode: Account) -> None:
    """Show what a client may do: every list of its policy, with * where it is not the built-in.

    Example: dialer clients policy acme
    """
    client = with_store(lambda store: store.client(accountcode))
    table = Table("", "list", "allowed", "built-in where it differs")
    for name in LISTS:
        allowed, built_in = show_list(client.policy, name), show_list(DEFAULT_POLICY, name)
        differs = allowed != built_in
        table.add_row(
            "*" if differs else "",
            name,
            _say_list(allowed),
            _say_list(built_in) if differs else "",
        )
    make_console().print(table)


def _say_list(text: str) -> str:
    return {"*": "* (all)", "": "(nothing)"}.get(text, text)


@app.command()
def allocate(
    accountcode: Account,
    codes: Annotated[
        list[str] | None, typer.Argument(help="All servers it may use.", metavar="CODE…")
    ] = None,
) -> None:
    """Say which servers a client may use, in place of those before; none named: all.

    Example: dialer clients allocate acme pbx1 pbx2
    """
    named = codes or []

    async def work(store: Store) -> None:
        await store.allocate(accountcode, named, await store.read_clock(), name_operator())

    with_store(work)
    typer.echo(f"client {accountcode} may use {', '.join(named) or 'all servers'}")


@app.command(name="list")
def list_() -> None:
    """List the clients.

    Example: dialer clients list
    """

    async def work(store: Store) -> tuple[tuple[Client, ...], dict[int, str]]:
        return await store.clients(), {s.id: s.code for s in await store.servers()}

    clients, codes = with_store(work)
    table = Table("accountcode", "name", "channels", "cps", "callback", "servers", "state")
    for client in clients:
        servers = ", ".join(sorted(codes.get(id_, "removed") for id_ in client.server_ids))
        table.add_row(
            client.accountcode,
            client.name,
            str(client.allocated_channels),
            show_limit(client.max_cps),
            show_origin(client.callback_url),
            servers or "all",
            show_state(client),
        )
    make_console().print(table)


def show_origin(url: str | None) -> str:
    """A callback's scheme and host: what follows may hold a token (`clients show` has it all)."""
    return "/".join(url.split("/")[:3]) if url else ""


def show_state(client: Client) -> str:
    """Why it may not dial, as far as that is its own state."""
    if not client.is_active:
        return "inactive"
    if client.status != "active":
        return client.status
    if not client.has_key:
        return "no key"
    if not client.allocated_channels:
        return "no channels"
    return "paused" if client.paused else "active"


@app.command(name="rotate-key")
def rotate_key(accountcode: Account) -> None:
    """Give a client a new API key, shown this once; the one before is refused from now on.

    Example: dialer clients rotate-key acme
    """

    async def work(store: Store) -> str:
        client = await store.client(accountcode)
        key, stored = make_key(await store.installation_secret())
        await store.replace_key(client.id, stored, await store.read_clock(), name_operator())
        return key

    print_key(accountcode, with_store(work))


@app.command(name="signing-secret")
def signing_secret(
    accountcode: Account,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new one.")] = False,
    grace: Annotated[
        float,
        typer.Option(
            min=0,
            max=8760,
            metavar="HOURS",
            help="How long the one before signs, too (0: no more).",
        ),
    ] = 24.0,
) -> None:
    """Print the secret with which a client checks its callbacks' signatures.

    With --rotate a new one is made; callbacks are signed with both until the grace is over.

    Example: dialer clients signing-secret acme --rotate --grace 48
    """
    key = load_signing_key(load_settings())

    async def work(store: Store) -> str:
        client = await store.client(accountcode)
        if rotate:
            now = await store.read_clock()
            until = now + grace * 3600 if grace else None
            signing = await store.rotate_signing(client.id, until, now, name_operator())
        else:
            signing = (await store.receivers()).signing.get(client.id, Signing())
        installation = await store.installation_secret()
        return show_secret(derive_secret(key, installation, client.id, signing.version))

    secret = with_store(work)
    typer.echo(f"client {accountcode}: this is its signing secret", err=True)
    typer.echo(secret)


@app.command()
def suspend(
    accountcode: Account,
    undo: Annotated[bool, typer.Option("--undo", help="Let it work again.")] = False,
) -> None:
    """Suspend a client: its requests are refused and its waiting calls are held.

    Example: dialer clients suspend acme
    """
    status = "active" if undo else "suspended"

    async def work(store: Store) -> None:
        now = await store.read_clock()
        await store.change_client(accountcode, {"status": status}, now, name_operator())

    with_store(work)
    typer.echo(f"client {accountcode} is {status}")
