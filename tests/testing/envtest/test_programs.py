"""The programs envtest starts, started as it starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.timing import PATIENCE_S
from wherry.testing.envtest import etcd
from wherry.testing.envtest.assets import write_assets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_assets(tmp_path_factory.mktemp("assets"))


def test_a_link_that_leads_nowhere_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text("#!/bin/sh\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(kubectl.parent))
    place = tmp_path / "assets"
    place.mkdir()
    (place / "kubectl").symlink_to(tmp_path / "gone")
    assert (write_assets(place) / "kubectl").resolve() == kubectl


def test_modules_of_the_tested_package_are_none_of_ours(assets: Path, tmp_path: Path) -> None:
    (tmp_path / "logging.py").write_text("raise SystemExit('not this one')\n")
    command = [str(assets / "kube-apiserver"), "--no-such-flag"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ran.stderr == "Error: unknown flag: --no-such-flag\n"


@pytest.mark.parametrize(
    ("program", "flag", "is_there"),
    [
        ("etcd", "unsafe-no-fsync", True),
        ("kube-apiserver", "insecure-port", False),
        ("kube-apiserver", "secure-port", True),
    ],
)
def test_help_names_the_flags(assets: Path, program: str, flag: str, is_there: bool) -> None:
    """envtest asks the help which flags there are, before each start."""
    ran = subprocess.run([assets / program, "--help"], capture_output=True, text=True, check=True)
    assert any(line.strip().startswith(f"--{flag}") for line in ran.stdout.splitlines()) is is_there


def test_etcd_is_well_until_it_is_ended(assets: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen([assets / "etcd", f"--listen-client-urls={url}", "--data-dir=/nowhere"])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:
                    assert answer.status == 200
                    break
            except urllib.error.URLError:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)  # as envtest asks: it has nothing to wait for but the answer
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/v3/kv", timeout=60)
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_a_wrong_flag_ends_it_with_upstreams_words(assets: Path) -> None:
    ran = subprocess.run(
        [assets / "kube-apiserver", "--no-such"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr.strip().splitlines()[-1]) == (1, "Error: unknown flag: --no-such")


def test_names_of_controllers_are_checked(assets: Path) -> None:
    environment = {**os.environ, "WHERRY_ENVTEST_CONTROLLERS": "nobody"}
    ran = subprocess.run(
        [assets / "kube-apiserver"], capture_output=True, text=True, check=False, env=environment
    )
    assert ran.returncode == 1
    assert "WHERRY_ENVTEST_CONTROLLERS: 'nobody' is not a known controller" in ran.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:99999", "Port out of range 0-65535; give a port of 0 to 65535"),
        ("http://127.0.0.1:abc", "give a port of 0 to 65535"),
        ("http://[::1", "http://[::1 is no URL: Invalid IPv6 URL; give http://host:port"),
        ("unix:///tmp/x", "unix:///tmp/x: this one answers plain HTTP alone"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1: this one answers plain HTTP alone"),
        ("tcp://127.0.0.1:1", "URL scheme must be http, https, unix, or unixs: tcp://127.0.0.1:1"),
        ("http://127.0.0.1", 'URL address does not have the form "host:port": http://127.0.0.1'),
        ("http://127.0.0.1:1,http://127.0.0.1:2/x", "URL must not contain a path: http://127.0.0.1:2/x"),
    ],
)
def test_etcd_refuses_what_it_cannot_listen_on(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["etcd", f"--listen-client-urls={url}"])
    with pytest.raises(SystemExit) as ended:
        etcd.main()
    assert str(ended.value).startswith("etcd: --listen-client-urls: ")
    assert message in str(ended.value)
