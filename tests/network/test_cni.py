"""The CNI configuration, its names, and addresses that were never given back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wherry.network.cni import (
    PodNetwork,
    given_addresses,
    release_leaked,
    render_conflist,
    write_conflist,
)


@pytest.fixture
def network(tmp_path: Path) -> PodNetwork:
    return PodNetwork.of("wherry-dev", "wh-dev", "10.199.0.0/24", tmp_path)


def test_configuration(network: PodNetwork, tmp_path: Path) -> None:
    document = json.loads(render_conflist(network))
    bridge, portmap = document["plugins"]
    assert document["name"] == "wherry-dev"
    assert bridge["bridge"] == "wh-dev"
    assert bridge["isGateway"]
    assert bridge["hairpinMode"]
    assert "mtu" not in bridge
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.199.0.0/24", "gateway": "10.199.0.1"}]]
    assert bridge["ipam"]["dataDir"] == str(tmp_path / "addresses")
    assert portmap["capabilities"] == {"portMappings": True}


def test_is_written_only_when_it_changes(network: PodNetwork) -> None:
    write_conflist(network)
    before = network.conflist.stat().st_ino
    write_conflist(network)
    assert network.conflist.stat().st_ino == before
    assert [file.name for file in network.conf_dir.iterdir()] == ["10-wherry-dev.conflist"]


def test_leaked_addresses_are_given_back(network: PodNetwork) -> None:
    network.addresses.mkdir(parents=True)
    (network.addresses / "10.199.0.2").write_text("alive\r\neth0")
    (network.addresses / "10.199.0.3").write_text("dead\r\neth0")
    (network.addresses / "last_reserved_ip.0").write_text("10.199.0.3")
    (network.addresses / "lock").touch()
    assert given_addresses(network.addresses) == {"10.199.0.2": "alive", "10.199.0.3": "dead"}
    (network.addresses / "10.199.0.4").write_text("new\r\neth0")
    os.utime(network.addresses / "10.199.0.3", (99, 99))
    os.utime(network.addresses / "10.199.0.4", (101, 101))
    assert release_leaked(network.addresses, {"alive"}, before=100) == ["10.199.0.3"], (
        "not one of a new sandbox"
    )
    (network.addresses / "10.199.0.4").unlink()
    assert sorted(file.name for file in network.addresses.iterdir()) == [
        "10.199.0.2",
        "last_reserved_ip.0",
        "lock",
    ]


def test_no_addresses_before_the_first_pod(network: PodNetwork) -> None:
    assert release_leaked(network.addresses, set(), before=100) == []
