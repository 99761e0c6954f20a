"""`dialer db`: the database."""

import typer

from dialer.settings import load_settings
from dialer.store import upgrade_database

app = typer.Typer()


@app.callback()
def database() -> None:
    """The database."""


@app.command()
def upgrade() -> None:
    """Bring the database to this version; `dialer run` does that by itself on SQLite.

    Example: dialer db upgrade
    """
    changed = upgrade_database(load_settings().database_url)
    typer.echo("the database is upgraded" if changed else "the database is up to date")
