"""The parts of the product as processes: what they cannot do is one sentence."""

import logging
from typing import Any

import pytest

from dialer.backends import ALONE, REDIS_UNUSED, Role
from dialer.cli import main, process
from dialer.errors import CoordinationUnavailable


@pytest.mark.parametrize("role", ["api", "worker", "deliver"])
def test_on_sqlite_a_part_alone_is_one_sentence(
    role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIALER_DATABASE_URL", "sqlite+aiosqlite:///dialer.db")
    assert main([role]) == 2
    err = capsys.readouterr().err
    assert f"`dialer {role}`" in err
    assert "dialer run" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("role", ["api", "worker", "deliver"])
def test_without_redis_a_part_alone_is_one_sentence(
    role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIALER_DATABASE_URL", "postgresql+asyncpg://db.example/dialer")
    monkeypatch.delenv("DIALER_REDIS_URL", raising=False)
    assert main([role]) == 2
    err = capsys.readouterr().err
    assert "DIALER_REDIS_URL" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("database", "redis", "said"),
    [
        ("sqlite+aiosqlite:///dialer.db", "redis://redis.example/0", REDIS_UNUSED),
        ("postgresql+asyncpg://db.example/dialer", None, ALONE),
        ("sqlite+aiosqlite:///dialer.db", None, None),
    ],
)
def test_what_does_not_work_is_said_at_the_start(
    database: str,
    redis: str | None,
    said: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran: list[Role] = []

    async def run(settings: object, role: Role) -> None:
        ran.append(role)

    monkeypatch.setattr(process, "_run", run)
    monkeypatch.setattr(process, "configure_logging", lambda form: None)
    caplog.set_level(logging.WARNING)
    process.run_process(Role.RUN, env_file=None, database_url=database, redis_url=redis)
    assert ran == [Role.RUN]
    told = [getattr(record, "why", None) for record in caplog.records]
    assert told == ([] if said is None else [said])


def test_what_cannot_be_reached_now_is_one_sentence_and_another_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(role: Role, **overrides: Any) -> None:
        raise CoordinationUnavailable("Redis at redis.example:6379 cannot be used: refused")

    monkeypatch.setattr("dialer.cli.worker.run_process", fail)
    assert main(["worker"]) == 1
    assert capsys.readouterr().err == "Redis at redis.example:6379 cannot be used: refused\n"
