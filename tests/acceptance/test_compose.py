"""docker/compose.yaml as far as it can be looked at without Docker."""

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from dialer.backends import Role, check_pairing
from dialer.settings import PREFIX, Settings, load_settings

FILE = Path(__file__).parents[2] / "docker" / "compose.yaml"
PARTS = {f"{role}{number}": role for role in ("api", "worker", "deliver") for number in (1, 2)}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    return found


def read_settings(service: dict[str, Any]) -> Settings:
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in service["environment"].items()
        if value is not None and name.removeprefix(PREFIX).lower() in Settings.model_fields
    }
    return load_settings(env_file=None, **given)


def test_a_profile_has_two_of_each_part_over_postgresql_and_redis(
    services: dict[str, dict[str, Any]],
) -> None:
    in_profile = {
        name for name, service in services.items() if "cluster" in service.get("profiles", ())
    }
    assert in_profile == {*PARTS, "postgres", "redis", "upgrade"}
    for name, role in PARTS.items():
        assert services[name]["command"] == ["dialer", role]
        assert check_pairing(read_settings(services[name]), Role(role)) is None


def test_each_part_listens_on_a_port_of_its_own(services: dict[str, dict[str, Any]]) -> None:
    """They share the host's network."""
    settings = [read_settings(services[name]) for name in PARTS]
    ports = [s.http_port if s.health_port is None else s.health_port for s in settings]
    assert len(set(ports)) == len(PARTS)
    assert load_settings(env_file=None).http_port not in ports


def test_all_that_is_waited_for_is_there(services: dict[str, dict[str, Any]]) -> None:
    assert not [
        (name, other)
        for name, service in services.items()
        for other in service.get("depends_on", {})
        if other not in services
    ]
    for worker in ("worker1", "worker2"):
        assert {"pbx1", "pbx2", "redis", "upgrade"} <= services[worker]["depends_on"].keys()


def test_workers_keep_what_they_note_apart(services: dict[str, dict[str, Any]]) -> None:
    volumes = [services[name]["volumes"] for name in ("worker1", "worker2")]
    assert volumes[0] != volumes[1]
