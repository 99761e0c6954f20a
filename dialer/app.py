"""The composition root: the only place that builds adapters and joins the parts.

`Product` is `dialer run`: API, worker and delivery in one process, over one store.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from dialer.api.app import ApiDeps, create_api
from dialer.api.server import serve
from dialer.attempts import LiveAttempt
from dialer.clock import Clock, SystemClock
from dialer.coordination.local import LocalSignals
from dialer.delivery.outbox import Deliverer
from dialer.delivery.sgapi import SgapiTarget
from dialer.feeding import Feeder
from dialer.ids import Ids
from dialer.planner import Planner
from dialer.policy import Policy
from dialer.reporting import Reporter
from dialer.server_link import LinkListener, ServerLink
from dialer.settings import Settings
from dialer.store import open_store
from dialer.store.contract import Server, Store
from dialer.upkeep import Upkeep, address_of
from dialer.worker import Worker, WorkerParts

log = logging.getLogger(__name__)
