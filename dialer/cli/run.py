"""`dialer run`: the product on one machine."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from dialer.app import Product
from dialer.errors import SettingsError
from dialer.failpoints import arm_from
from dialer.settings import Settings, load_settings
from dialer.telemetry import configure_logging

log = logging.getLogger(__name__)


def run(
    record: Annotated[
        Path | None,
        typer.Option(help="Folder for traces of the AMI sessions (DIALER_RECORD_DIR)."),
    ] = None,
) -> None:
    """Run API, worker and delivery together until SIGTERM or Ctrl-C.

    A first signal starts no new calls and waits for the live ones (DIALER_DRAIN_TIMEOUT seconds);
    a second one ends at once. What is left is taken over by the next start.

    Example: DIALER_SUPERUSER_API_KEY=… dialer run
    """
    settings = load_settings(**({} if record is None else {"record_dir": record}))
    if not settings.database_url.startswith("sqlite"):
        raise SettingsError("DIALER_DATABASE_URL: this version runs on SQLite only")
    configure_logging(settings.log_format)
    arm_from(os.environ, settings.database_url)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    product = Product(settings)
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if product.stopping:
            log.warning("second signal: ending at once")
            product.request_stop(0.0)
        else:
            log.info("stopping: no new calls, waiting for the live ones")
            product.request_stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    running = asyncio.ensure_future(product.run())
    announcing = asyncio.ensure_future(_announce(product, settings))
    try:
        await running
    except* OSError as errors:
        problem = errors.exceptions[0]
        raise SettingsError(
            f"cannot listen on {settings.http_host}:{settings.http_port}: {problem}"
        ) from None
    finally:
        announcing.cancel()


async def _announce(product: Product, settings: Settings) -> None:
    await product.ready.wait()
    where = f"http://{settings.http_host}:{product.http_port}/calling/api/"
    log.info("ready", extra={"api": where, "database": settings.database_url})
    typer.echo(f"dialer is ready: {where}")
