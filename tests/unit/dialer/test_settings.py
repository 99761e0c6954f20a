"""Settings: validated once, frozen, wrong ones are one plain sentence without secrets."""

import pytest

from dialer.errors import SettingsError
from dialer.settings import LogFormat, load_settings


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load_settings(env_file=None)
    assert settings.database_url == "sqlite+aiosqlite:///dialer.db"
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8080)
    assert settings.callback_allow_private is False
    assert settings.log_format is LogFormat.CONSOLE
    assert settings.metrics is True


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALER_HTTP_PORT", "9000")
    monkeypatch.setenv("DIALER_SGAPI_URL", "https://sgapi.example/api/")
    settings = load_settings(env_file=None)
    assert settings.http_port == 9000
    assert settings.sgapi_url == "https://sgapi.example/api"


def test_frozen() -> None:
    settings = load_settings(env_file=None)
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, "http_port", 1)  # noqa: B010 (a type checker refuses it, too)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DIALER_HTTP_PORT", "high", "DIALER_HTTP_PORT input should be a valid integer"),
        ("DIALER_DATABASE_URL", "mysql://x", "DIALER_DATABASE_URL must begin with sqlite"),
        (
            "DIALER_REDIS_URL",
            "rediss://x",
            "DIALER_REDIS_URL may not be rediss://: there is no tls",
        ),
        ("DIALER_REDIS_URL", "redis://x/y", "DIALER_REDIS_URL has a database that is no number"),
        ("DIALER_SGAPI_URL", "ftp://x", "DIALER_SGAPI_URL must begin with http"),
        ("DIALER_SGAPI_ENTITY", "a/b", "DIALER_SGAPI_ENTITY may hold letters"),
        ("DIALER_GATEWAY_PER_SECOND", "0", "DIALER_GATEWAY_PER_SECOND input should be greater"),
        ("DIALER_LOG_FORMAT", "xml", "DIALER_LOG_FORMAT input should be"),
        ("DIALER_MAX_CALL_DURATION", "1", "DIALER_MAX_CALL_DURATION input should be greater"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=sentence) as caught:
        load_settings(env_file=None)
    assert "\n" not in str(caught.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALER_SUPERUSER_API_KEY", "canary-key")
    settings = load_settings(env_file=None)
    assert "canary-key" not in repr(settings)
    assert settings.superuser_api_key is not None
    assert settings.superuser_api_key.get_secret_value() == "canary-key"


def test_secrets_are_known_to_what_masks_them() -> None:
    settings = load_settings(
        env_file=None,
        superuser_api_key="canary-key",
        sgapi_token="canary-token",
        sgapi_url="https://us:canary%2Fgate@host/",
        redis_url="redis://:canary-redis@host",
    )
    assert set(settings.secrets) == {
        *("canary-key", "canary-token", "canary/gate", "canary-redis"),
    }
    assert load_settings(env_file=None).secrets == ()
    assert load_settings(env_file=None, sgapi_url="http://[").secrets == ()
