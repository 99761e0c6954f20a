"""Answers with many records."""

import json
from typing import Any

import pytest
from fastapi import Request

from dialer.api.cdr_examples import SAMPLE
from dialer.api.records import answer_records, write_records
from dialer.histories import CdrRow
from tests.unit.dialer.api.conftest import Api


def make_request(api: Api) -> Request:
    return Request({"type": "http", "app": api.app, "headers": []})


def make_rows(count: int) -> list[CdrRow]:
    return [CdrRow(number, SAMPLE, False, "queue") for number in range(1, count + 1)]


def show(row: CdrRow) -> dict[str, Any]:
    return {"id": row.id}


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 1000])
async def test_every_record_once_between_what_stands_around_them(api: Api, count: int) -> None:
    rows = make_rows(count)
    request = make_request(api)
    shown = [{"id": number} for number in range(1, count + 1)]
    for before, after in (({}, {}), ({"a": 1}, {}), ({}, {"z": None}), ({"a": 1}, {"y": "ä"})):
        answer = await answer_records(request, "rows", rows, show, before=before, after=after)
        content = json.loads(bytes(answer.body))
        assert list(content.items()) == [*before.items(), ("rows", shown), *after.items()]
    assert json.loads(b"[" + await write_records(request, rows, show) + b"]") == shown


async def test_the_loop_has_turns_meanwhile(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = []

    async def note(_seconds: float) -> None:
        turns.append(1)

    monkeypatch.setattr("dialer.api.turns.asyncio.sleep", note)
    api.clock.step = 0.004
    await write_records(make_request(api), make_rows(200), show)
    assert len(turns) == 10
