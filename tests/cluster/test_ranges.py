"""Which ports and ranges a new cluster gets, and what is said when the machine's networks are in the way."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from wherry.cluster.clusters import Machine, Wanted, effective_config
from wherry.cluster.config import ConfigError, Setup
from wherry.cluster.ranges import Choice, Taken, free_defaults, widened
from wherry.cluster.values import CONTAINERD, SIMULATED
from wherry.network.routes import Route

WIDE = "10.244.0.0/16"


def route(network: str, interface: str = "eth0") -> Route:
    return interface, IPv4Network(network)


def choose(
    *routes: Route, others: tuple[Setup, ...] = (), name: str = "default", runtime: str = CONTAINERD
) -> Choice:
    return free_defaults(name, Taken(others, routes), runtime)


def test_the_first_cluster_gets_the_usual_ranges() -> None:
    choice = choose(route("0.0.0.0/0"), route("192.0.2.0/24"))
    assert choice.setup == Setup.of()
    assert (choice.setup.cluster.pod_cidr, choice.setup.cluster.service_cidr) == (WIDE, "10.96.0.0/16")
    assert choice.note == ""


def test_the_machines_networks_are_made_room_for_and_told() -> None:
    choice = choose(route("10.244.3.0/24"))
    assert choice.setup.cluster.pod_cidr == "10.243.0.0/16"
    assert choice.setup.cluster.api_port == 6443, "ports are no matter of networks"
    assert choice.note == (
        "Pods get 10.243.0.0/16, Services 10.97.0.0/16: 10.244.0.0/16 overlaps 10.244.3.0/24 on eth0"
    )
    assert choose(route("10.96.7.0/24")).setup.cluster.service_cidr == "10.97.0.0/16"
    assert choose(route("10.244.3.0/24"), runtime=SIMULATED).setup.cluster.pod_cidr == WIDE


def test_a_network_that_covers_every_slot_is_told() -> None:
    with pytest.raises(ConfigError, match="give podCIDR, serviceCIDR and ports yourself"):
        choose(route("10.0.0.0/8"))


def test_fifty_clusters_have_each_their_own() -> None:
    made: list[Setup] = []
    for number in range(50):
        made.append(choose(others=tuple(made), name=f"c{number}").setup)
    found = [IPv4Network(one.value(name)) for one in made for name in ("pod_cidr", "service_cidr")]
    assert not any(a.overlaps(b) for n, a in enumerate(found) for b in found[:n])
    ports = [port for one in made for port in (one.cluster.api_port, one.node.kubelet_port)]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize(
    ("stored", "others", "routes", "expected"),
    [
        ("10.244.0.0/24", (), (), WIDE),
        ("10.244.0.0/24", ("10.244.1.0/24",), (), "10.244.0.0/24"),
        ("10.244.0.0/24", ("10.243.0.0/16",), (), WIDE),
        ("10.244.0.0/24", (), ("10.244.9.0/24",), "10.244.0.0/24"),
        ("10.244.1.0/24", (), (), "10.244.1.0/24"),
        ("10.50.0.0/24", (), (), "10.50.0.0/24"),
    ],
)
def test_a_cluster_of_an_earlier_version_gets_room_where_there_is(
    stored: str, others: tuple[str, ...], routes: tuple[str, ...], expected: str
) -> None:
    setups = [Setup.of("o", pod_cidr=cidr, service_cidr="10.111.0.0/16") for cidr in others]
    taken = Taken(setups, [route(text) for text in routes])
    assert widened(Setup.of(pod_cidr=stored), taken).cluster.pod_cidr == expected


def resolve(machine: Machine, **flags: Any) -> Wanted:
    return effective_config(machine, None, environ={}, flags=flags)


def test_what_the_user_asked_for_needs_no_word(tmp_path: Path) -> None:
    machine = Machine(
        data_root=tmp_path / "data", run_root=tmp_path / "run", routes=lambda: [route("10.244.3.0/24")]
    )
    assert resolve(machine).note.startswith("Pods get 10.243.0.0/16")
    assert resolve(machine, pod_cidr="10.50.0.0/16").note == ""


def test_the_clusters_own_bridge_is_in_nobodys_way(tmp_path: Path) -> None:
    machine = Machine(
        data_root=tmp_path / "data",
        run_root=tmp_path / "run",
        routes=lambda: [route("10.244.0.0/24", "wh-default"), route("10.244.0.0/24", "wh-defaul-abcde")],
    )
    assert machine.taken("default").routes == []
    assert resolve(machine).setup.cluster.pod_cidr == WIDE
