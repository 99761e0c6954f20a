import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from dialer.cli.load import TRIES, find_own_url, load, load_file, trim_base
from dialer.errors import SettingsError
from dialer.loading import LoadError

HEADER = "asterisk_server_code,Channel\n"


class Api:
    """insertdataincallqueue as far as a loader sees it: batches kept by id, replays told apart."""

    def __init__(self) -> None:
        self.batches: dict[int, dict[str, Any]] = {}
        self.posts = 0
        self.interfere: Callable[[int], httpx.Response | None] = lambda post: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posts += 1
        other = self.interfere(self.posts)
        if other is not None:
            return other
        assert request.url.path == "/calling/api/queues/insertdataincallqueue/"
        assert request.headers["Authorization"] == "Bearer key"
        body = json.loads(request.content)
        known = self.batches.setdefault(body["batch_id"], body)
        if known != body:
            return httpx.Response(409, json={"message": "another body", "status": "error"})
        data = {"queue_id": body["queue_id"] or 12, "inserted_count": len(body["data"])}
        replayed = {"Idempotent-Replayed": "true"} if self.posts > len(self.batches) else {}
        return httpx.Response(200, json={"data": data}, headers=replayed)

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url="http://api.example",
            headers={"Authorization": "Bearer key"},
            transport=httpx.MockTransport(self),
        )


class Screen:
    def __init__(self) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=200)
        self.pauses: list[float] = []

    def load(self, file: Path, api: Api, **options: int | None) -> int:
        with api.client as client:
            return load_file(
                file,
                client,
                options.get("batch_id"),
                options.get("queue_id"),
                self.console,
                self.pauses.append,
            )

    @property
    def text(self) -> str:
        return self.file.getvalue()


def write_csv(folder: Path, count: int) -> Path:
    file = folder / "calls.csv"
    lines = "".join(f"pbx1,PJSIP/{n}@trunk\n" for n in range(100, 100 + count))
    file.write_text(HEADER + lines)
    return file


def test_a_file_goes_into_one_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api, screen = Api(), Screen()
    assert screen.load(write_csv(tmp_path, 2345), api) == 12
    ids = list(api.batches)
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
    assert [len(body["data"]) for body in api.batches.values()] == [1000, 1000, 345]
    assert [body["queue_id"] for body in api.batches.values()] == [None, 12, 12]
    assert f"queue 12: 2345 calls inserted, 0 were there already (batches from {ids[0]})" in (
        capsys.readouterr().out
    )


def test_an_interrupted_load_goes_on_by_replays(tmp_path: Path) -> None:
    api, screen = Api(), Screen()
    file = write_csv(tmp_path, 2500)

    def interrupt(post: int) -> None:
        if post == 2:
            raise KeyboardInterrupt

    api.interfere = interrupt
    with pytest.raises(KeyboardInterrupt):
        screen.load(file, api)
    assert len(api.batches) == 1
    api.interfere = lambda post: None
    api.posts = 1
    screen.load(file, api)
    assert sum(len(body["data"]) for body in api.batches.values()) == 2500
    assert len(api.batches) == 3


def test_given_ids_are_used(tmp_path: Path) -> None:
    api, screen = Api(), Screen()
    assert screen.load(write_csv(tmp_path, 1001), api, batch_id=40, queue_id=9) == 9
    assert list(api.batches) == [40, 41]
    assert {body["queue_id"] for body in api.batches.values()} == {9}


def test_json_with_dids(tmp_path: Path) -> None:
    api = Api()
    file = tmp_path / "calls.JSON"
    item = {"asterisk_server_code": "pbx1", "action": {"action": "Originate", "channel": "a/1@b"}}
    file.write_text(json.dumps({"data": [item], "dids": ["+1"]}))
    Screen().load(file, api)
    (body,) = api.batches.values()
    assert body["dids"] == ["+1"]
    assert body["data"] == [item]


def test_nothing_is_sent_of_a_file_with_a_fault_at_its_end(tmp_path: Path) -> None:
    api = Api()
    file = write_csv(tmp_path, 1500)
    file.write_text(file.read_text() + "pbx1,\n")
    with pytest.raises(LoadError, match="line 1502: Channel: is empty"):
        Screen().load(file, api)
    assert api.posts == 0


def test_429_and_503_are_obeyed_and_lost_connections_tried_again(tmp_path: Path) -> None:
    api, screen = Api(), Screen()

    def trouble(post: int) -> httpx.Response | None:
        if post == 1:
            return httpx.Response(429, headers={"Retry-After": "7"}, json={"message": "slowly"})
        if post == 2:
            return httpx.Response(503, headers={"Retry-After": "3"})
        if post == 3:
            raise httpx.ConnectError("connection refused")
        return httpx.Response(500) if post == 4 else None

    api.interfere = trouble
    screen.load(write_csv(tmp_path, 1), api)
    assert screen.pauses == [7.0, 3.0, 1.0, 2.0]
    assert "slowly: going on in 7 s" in screen.text
    assert "cannot be reached: connection refused: trying again in 1 s" in screen.text


def test_a_server_that_stays_away_ends_the_load(tmp_path: Path) -> None:
    api, screen = Api(), Screen()

    def refuse(post: int) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    api.interfere = refuse
    with pytest.raises(LoadError, match="connection refused\nnothing was stored"):
        screen.load(write_csv(tmp_path, 1), api)
    assert api.posts == TRIES
    assert max(screen.pauses) == 15.0


def test_a_refusal_says_how_to_go_on(tmp_path: Path) -> None:
    api = Api()
    refusal = {"errors": [{"index": 4, "field": "action.Channel", "message": "not allowed"}]}
    api.interfere = lambda post: httpx.Response(400, json=refusal) if post == 2 else None
    with pytest.raises(LoadError) as caught:
        Screen().load(write_csv(tmp_path, 1500), api)
    first = next(iter(api.batches))
    assert str(caught.value).startswith("line 1006: action.Channel: not allowed\n")
    assert "the 1000 calls before it are stored" in str(caught.value)
    assert f"--batch-id {first}" in str(caught.value)


def test_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(HEADER)
    with pytest.raises(LoadError, match=r"calls\.csv holds no calls"):
        Screen().load(file, Api())


@pytest.mark.parametrize("name", ["absent.csv", "absent.json", "calls.txt"])
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    if name == "calls.txt":
        (tmp_path / name).write_text("")
    with pytest.raises(SettingsError, match=name):
        Screen().load(tmp_path / name, Api())
    with pytest.raises(SettingsError, match=name):
        Screen().load(tmp_path / name, Api(), batch_id=1)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://a:1", "http://a:1"),
        ("http://a:1/", "http://a:1"),
        ("https://a/calling/api/", "https://a"),
        ("https://a/x/calling/api/v1", "https://a/x"),
    ],
)
def test_base_url(url: str, base: str) -> None:
    assert trim_base(url) == base


def test_a_url_without_scheme() -> None:
    with pytest.raises(SettingsError, match="--url must begin with"):
        trim_base("localhost:8080")


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(load)
    return app


def test_help_has_an_example(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "dialer load calls.csv" in result.output
    assert "asterisk_server_code" in result.output


def test_no_key_is_a_plain_sentence(command: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(write_csv(tmp_path, 1))], env={"DIALER_API_KEY": ""})
    assert isinstance(result.exception, SettingsError)
    assert "DIALER_API_KEY" in str(result.exception)


def test_a_broken_file_is_exit_1_without_a_traceback(command: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("phone\n1\n")
    result = CliRunner().invoke(command, [str(file)], env={"DIALER_API_KEY": "key"})
    assert result.exit_code == 1
    assert "line 1: 'phone' is no field" in result.output


def test_the_url_is_where_the_settings_say_that_the_product_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIALER_HTTP_PORT", "9191")
    assert find_own_url() == "http://127.0.0.1:9191"
    for host, url in (
        ("0.0.0.0", "http://127.0.0.1:9191"),
        ("::1", "http://[::1]:9191"),
        ("dialer.example", "http://dialer.example:9191"),
    ):
        monkeypatch.setenv("DIALER_HTTP_HOST", host)
        assert find_own_url() == url
