"""A node is called after the machine, in a way the API takes."""

from __future__ import annotations

import pytest

from wherry.cluster.clusters import node_name_of
from wherry.cluster.config import ConfigError, Setup, overlay
from wherry.cluster.settings import FLAGS
from wherry.objects.names import dns1123_subdomain_errors


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("vm", "vm"),
        ("My_Host.lan", "my-host"),
        ("(none)", "node"),
        ("", "node"),
        ("...", "node"),
        ("--x--", "x"),
        ("Bücher", "b-cher"),
        ("a" * 62 + "-b", "a" * 62),
    ],
)
def test_host_names_are_made_legal(hostname: str, name: str) -> None:
    assert node_name_of(hostname) == name
    assert not dns1123_subdomain_errors(name)


@pytest.mark.parametrize("name", ["My_Host", "(none)", "-a", "a..b", "a" * 64, "a\n", "a/../b"])
def test_names_that_were_given_are_refused_clearly(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--node-name: .* is no node name; use at most 63"):
        overlay(Setup.of(), {"node_name": name}, FLAGS)


def test_legal_names_are_taken() -> None:
    assert overlay(Setup.of(), {"node_name": "node-1.example"}, FLAGS).node.name == "node-1.example"
