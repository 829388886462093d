"""What is in the way of a cluster is said with its remedy."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path

import pytest

from wherry.cluster.advice import as_root
from wherry.cluster.config import Setup, overlay
from wherry.cluster.preflight import find_problems, find_problems_of_change
from wherry.cluster.settings import FLAGS
from wherry.network.routes import overlapping_route


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for what is only looked for as root, whoever runs the tests."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_without_root_nothing_else_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (problem,) = find_problems(Setup.of())
    assert problem.kind == "permission"
    assert problem.message.endswith(f"run it again {as_root()}")


@pytest.mark.usefixtures("root")
def test_a_missing_program_names_its_package(tmp_path: Path) -> None:
    problems = find_problems(Setup.of(), search_path=str(tmp_path))
    (missing,) = [problem for problem in problems if problem.kind == "program"]
    assert "containerd" in missing.message
    assert "apt-get install -y conntrack containerd" in missing.message


@pytest.mark.usefixtures("root")
def test_a_port_in_use_names_the_flag() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        # Node ports far from what the kernel gives out, so that the port is in use and nothing else.
        problems = find_problems(overlay(Setup.of(node_ports=(1024, 1024)), {"api_port": port}, FLAGS))
    messages = [problem.message for problem in problems if "--api-port" in problem.message]
    assert messages == [
        (
            f"the API server cannot listen on 127.0.0.1:{port}: the port is in use; "
            "choose another with: wherry up --api-port PORT"
        )
    ]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("attribute", "text", "said"),
    [
        (
            "kubelet_config",
            None,
            "the kubelet's configuration cannot be followed: {}: No such file or directory",
        ),
        ("kubelet_config", "maxPod: 1\n", 'strict decoding error: unknown field "maxPod"'),
        ("kubelet_config", "maxPods: -1\n", "must not be a negative number"),
        ("kubelet_config_dir", None, "cannot be followed: {}: No such file or directory"),
        ("registries", None, "the registries cannot be used: {}: No such file or directory"),
        ("images", None, "the images of {} cannot be loaded: No such file or directory"),
    ],
)
def test_files_that_cannot_be_followed_are_refused_before_anything_changes(
    tmp_path: Path, attribute: str, text: str | None, said: str
) -> None:
    place = tmp_path / "named"
    if text is not None:
        place.write_text(f"apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n{text}")
    setup = overlay(Setup.of(), {attribute: str(place)}, FLAGS)
    for problems in (find_problems(setup), find_problems_of_change(setup, {attribute})):
        (problem,) = [one for one in problems if said.format(place) in one.message]
        assert problem.kind == "setting"


def test_overlap_is_with_real_routes_only() -> None:
    routes = [
        ("eth0", ipaddress.IPv4Network("0.0.0.0/0")),
        ("eth0", ipaddress.IPv4Network("10.96.4.0/24")),
    ]
    assert overlapping_route(ipaddress.IPv4Network("10.96.0.0/16"), routes) == "10.96.4.0/24 on eth0"
    assert overlapping_route(ipaddress.IPv4Network("10.97.0.0/16"), routes) == ""
