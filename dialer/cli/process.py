"""A process of the product in the foreground: settings, signals, and when it is ready."""

import asyncio
import logging
import os
import signal
from typing import Any, Final

import typer

from dialer.app import Product
from dialer.backends import Role, check_pairing
from dialer.errors import SettingsError
from dialer.failpoints import arm_from
from dialer.settings import Settings, load_settings
from dialer.telemetry import configure_logging

log = logging.getLogger(__name__)

STOPPING: Final = {
    Role.RUN: "no new calls, waiting for the live ones",
    Role.API: "no new requests",
    Role.WORKER: "no new calls; servers go to other workers, or live calls are waited for",
    Role.DELIVER: "no new deliveries, waiting for those under way",
}


def run_process(role: Role, **overrides: Any) -> None:  # noqa: ANN401 (a setting's value)
    """Until SIGTERM or Ctrl-C. `overrides` are settings from the command line. Raises
    `SettingsError`, `StoreUnavailable` and `CoordinationUnavailable`."""
    settings = load_settings(**overrides)
    warning = check_pairing(settings, role)
    configure_logging(settings.log_format)
    if warning is not None:
        log.warning("settings that do not go together", extra={"why": warning})
    arm_from(os.environ, settings.database_url)
    asyncio.run(_run(settings, role))


async def _run(settings: Settings, role: Role) -> None:
    product = Product(settings, role=role)
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if product.stopping:
            log.warning("second signal: ending at once")
            product.request_stop(0.0)
        else:
            log.info("stopping", extra={"what": STOPPING[role]})
            product.request_stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    running = asyncio.ensure_future(product.run())
    announcing = asyncio.ensure_future(_announce(product, settings))
    try:
        await running
    except* OSError as errors:
        port = settings.http_port if role.serves else settings.health_port
        problem = errors.exceptions[0]
        raise SettingsError(f"cannot listen on {settings.http_host}:{port}: {problem}") from None
    finally:
        announcing.cancel()


async def _announce(product: Product, settings: Settings) -> None:
    await product.ready.wait()
    if product.role.serves:
        where = f"http://{settings.http_host}:{product.http_port}/calling/api/"
        log.info("ready", extra={"api": where, "database": settings.database_url})
        typer.echo(f"dialer is ready: {where}")
    else:
        log.info("ready", extra={"role": product.role.value, "database": settings.database_url})
        typer.echo(f"dialer {product.role} is ready")
