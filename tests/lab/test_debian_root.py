"""Which Asterisk versions the lab accepts, and how it reads a Debian package's."""

import subprocess
from pathlib import Path

import pytest

LAB = Path(__file__).parent.parent.parent / "lab"


def run_lab_function(call: str) -> subprocess.CompletedProcess[str]:
    script = f"source {LAB}/settings.bash; source {LAB}/debian_root.bash; {call}"
    return subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "version", ["20.20.1", "20.21.0", "22.10.1", "22.11.0", "23.4.1", "24.0.0"]
)
def test_supported(version: str) -> None:
    assert run_lab_function(f"is_supported {version}").returncode == 0


@pytest.mark.parametrize(
    "version",
    [
        "",
        "18.26.4",
        "20.19.0",
        "20.20.0",
        "21.12.0",
        "22.8.0",
        "22.9.0",
        "22.10.0",
        "23.3.0",
        "23.4.0",
    ],
)
def test_refused(version: str) -> None:
    assert run_lab_function(f"is_supported '{version}'").returncode != 0


def write_package(root: Path, version: str) -> None:
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        f"Package: adduser\nVersion: 3.1\n\nPackage: asterisk\nVersion: {version}\n\n"
        "Package: zlib\nVersion: 9.9\n"
    )


def test_package_version_is_read(tmp_path: Path) -> None:
    write_package(tmp_path, "1:22.10.1+dfsg+~cs6.17.60671434-1")
    assert run_lab_function(f"asterisk_version {tmp_path}").stdout == "22.10.1\n"


def test_unsupported_root_is_one_sentence(tmp_path: Path) -> None:
    write_package(tmp_path, "1:22.9.0~dfsg-1")
    refused = run_lab_function(f"check_version {tmp_path}")
    assert refused.returncode == 1
    assert refused.stderr.startswith("lab: Asterisk 22.9.0 in ")
    assert refused.stderr.count("\n") == 1
