import json
from pathlib import Path

import pytest

from dialer.bodies import parse_batch
from dialer.demo import (
    KINDS,
    DemoError,
    Progress,
    make_items,
    make_settings,
    prepare_folder,
    read_progress,
    refuse_first,
    write_cdrs,
)
from dialer.states import ItemStatus
from dialer.store.contract import Totals
from tests.unit.dialer.delivery.samples import make_cdr


def test_items_are_a_right_batch_of_different_numbers() -> None:
    items = make_items(KINDS)
    assert len(items) == sum(kind.count for kind in KINDS) == 120
    assert len({item["action"]["Channel"] for item in items}) == 120
    assert parse_batch(json.dumps({"batch_id": 1, "data": items}).encode()).errors == []


def test_every_ending_of_the_carriers_table_that_ends_soon_is_there() -> None:
    assert {kind.ending for kind in KINDS} == {
        "00", "01", "02", "03", "04", "05", "06", "08", "09", "10", "11",
    }  # fmt: skip


def test_refusing_the_first() -> None:
    script = refuse_first(2)
    answers = [script({}) for _ in range(3)]
    assert [answer and answer.status for answer in answers] == [503, 503, None]


def test_progress() -> None:
    items = {
        ItemStatus.PENDING: 1,
        ItemStatus.QUEUED: 2,
        ItemStatus.PROCESSED: 3,
        ItemStatus.TERMINATED: 4,
    }
    deliveries = {"callback/pending": 1, "sgapi/pending": 2, "sgapi/accepted": 4}
    deliveries |= {"sgapi/delivered": 5, "sgapi/dead": 9}
    assert read_progress(Totals(items, {"busy": 6}, 6, deliveries)) == Progress(10, 7, 6, 5, 7)


def test_cdrs_are_lines_of_json_with_readable_times(tmp_path: Path) -> None:
    path = tmp_path / "cdrs.ndjson"
    write_cdrs([make_cdr(), make_cdr(cdr_id="b", leg_b=None)], path)
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["started_at"] == "2024-01-15T10:30:00.250Z"
    assert first["leg_b"]["answered_at"] == "2024-01-15T10:30:04.000Z"
    assert first["next_attempt_at"] is None
    assert (second["cdr_id"], second["leg_b"]) == ("b", None)


def test_a_folder_is_used_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    prepare_folder(folder)
    (folder / "dialer.db").touch()
    with pytest.raises(DemoError, match="holds a database already"):
        prepare_folder(folder)


def test_settings_do_not_depend_on_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALER_HTTP_PORT", "1")
    monkeypatch.setenv("DIALER_SGAPI_URL", "http://production.example")
    settings = make_settings(tmp_path, "http://127.0.0.1:5", "token", "key")
    assert (settings.http_port, settings.sgapi_url) == (0, "http://127.0.0.1:5")
    assert settings.database_url.endswith(f"{tmp_path}/dialer.db")
