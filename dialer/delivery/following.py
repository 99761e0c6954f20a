"""What becomes of a CDR that the Disposition Gateway took: its task is asked for until it ended.

The gateway's words are read here and nowhere else (docs/client-api.md, "Disposition Gateway").
Looks at tasks stand in a line of their own, which is kept slow: they never hold up a CDR.
"""

from dataclasses import replace
from math import ceil
from typing import Any, Final
from urllib.parse import quote

from pydantic_core import from_json

from dialer.delivery.schedule import Chance
from dialer.delivery.verdict import (
    Answer,
    Finding,
    Verdict,
    clean_text,
    describe,
    judge_pace,
)
from dialer.states import DeliveryState
from dialer.store.contract import Task

HOME: Final = "sgapi"
"""The line of CDRs that are to be sent, and of those that ended."""

LINE: Final = "sgapi tasks"
"""The line of CDRs whose tasks are asked for."""

LOOKS: Final = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds before the first, second … look; the last one repeats. A task usually takes seconds."""

GRAIN: Final = 5
"""Looks fall due at multiples of a fifth of their delay: those of many calls come in one read."""

LONGEST: Final = 3 * 86400.0
"""Seconds after which a task that has not ended is given up as a dead letter."""

UNSURE: Final = 3
"""Looks that a gateway gets before its 404 is believed: a task may take a moment to be known."""

MOST_LOST: Final = 2
"""How often a CDR is sent again that the gateway took and then knows nothing of."""

PACE: Final = 5.0
"""Seconds of rest after a 429 without Retry-After."""

PROBE: Final = 300.0
"""Seconds between two tries while the gateway refuses our credentials."""

COMPLETED: Final = "completed"
FAILED: Final = "failed"

_SHORT: Final = 64  # characters: most words of the gateway's need no cleaning

_PATH: Final = "/cdrtosgapi"


def name_task(address: str, uuid: str) -> str:
    """Where the task of a CDR is asked for; `address` is where it was put, with or without an
    entity, which is no part of it."""
    base, found, _ = address.rpartition(_PATH)
    return f"{base if found else address.rstrip('/')}{_PATH}/{quote(uuid, safe='')}"


def judge_accepted(answer: Answer, before: Task | None, now: float) -> Verdict:
    """What follows from a PUT that was accepted, now or by an earlier try (409)."""
    lost = before.lost if before else 0
    return _go_on(_tell(Task(since=now, lost=lost), _read(answer).get("data")), now)


def judge_look(answer: Answer, task: Task, chance: Chance, now: float) -> Verdict:
    """What follows from asking for a task. 405 and 501: this gateway tells nothing of tasks, then
    what it accepted is delivered; so it is after a 404 in words that are not the documented ones.
    404 NOT_FOUND: it lost the CDR, which is sent again. 429 paces, 401 and 403 stop the line."""
    status = answer.status
    if status == 429:
        return judge_pace(answer, PACE, chance)
    if status in (401, 403):
        return Verdict(Finding.STOPPED, delay=PROBE, hold=PROBE, error=describe(answer))
    task = replace(task, looks=task.looks + 1)
    if status == 200:
        told = _read(answer).get("data")
        if isinstance(told, dict):
            return _go_on(_tell(task, told), now)
    if status in (405, 501):
        return Verdict(Finding.DELIVERED, line=HOME, task=task)
    if status == 404:
        return _judge_missing(answer, task, now)
    if status in (400, 422):
        return _bury(f"accepted, but its task cannot be asked for: {describe(answer)}", task)
    return _wait(Finding.FAILED, task, now, describe(answer))


def _judge_missing(answer: Answer, task: Task, now: float) -> Verdict:
    if task.looks < UNSURE:
        return _wait(Finding.ACCEPTED, task, now, describe(answer))
    error = _read(answer).get("error")
    if not (isinstance(error, dict) and error.get("code") == "NOT_FOUND"):
        return Verdict(Finding.DELIVERED, line=HOME, task=task)
    if task.lost >= MOST_LOST:
        return _bury(f"accepted {task.lost + 1} times and not known: {describe(answer)}", task)
    return Verdict(
        Finding.ACCEPTED,
        delay=LOOKS[0],
        error="accepted, then not known any more: sent again",
        state=DeliveryState.PENDING,
        line=HOME,
        task=replace(task, lost=task.lost + 1),
    )


def _go_on(task: Task, now: float) -> Verdict:
    if task.state == COMPLETED:
        return Verdict(Finding.DELIVERED, line=HOME, task=task)
    if task.state == FAILED:
        return _bury(f"the gateway's task failed: {task.error or 'no reason given'}", task)
    return _wait(Finding.ACCEPTED, task, now, task.error)


def _wait(finding: Finding, task: Task, now: float, error: str | None) -> Verdict:
    """Look again later, unless it has taken too long."""
    if now - task.since >= LONGEST:
        return _bury(f"not completed after {LONGEST / 86400:g} days: {error or task.state}", task)
    wait = LOOKS[min(task.looks, len(LOOKS) - 1)]
    grain = wait / GRAIN
    return Verdict(
        finding,
        delay=ceil((now + wait) / grain) * grain - now,
        error=error,
        state=DeliveryState.ACCEPTED,
        line=LINE,
        task=task,
    )


def _bury(error: str, task: Task) -> Verdict:
    return Verdict(Finding.DEAD, error=error, line=HOME, task=task)


def _read(answer: Answer) -> dict[str, Any]:
    """The answer's JSON object; {} for anything else."""
    try:
        content = from_json(answer.content)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _tell(task: Task, told: object) -> Task:
    """The task with what the gateway says of it now."""
    if not isinstance(told, dict):
        return task
    get = told.get
    count = get("retry_count")
    return Task(
        task.since,
        task.looks,
        task.lost,
        _word(get("state")),
        _word(get("sgapi_status")),
        _word(get("sgapi_reference")),
        _word(get("error_message")),
        count if isinstance(count, int) and abs(count) < 2**31 else None,
    )


def _word(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    if len(value) <= _SHORT and value.isascii() and value.isprintable():
        return value.strip()
    return clean_text(value)
