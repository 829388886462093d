"""Rendered rules against golden files, and the smallest text that turns one state into another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Golden
from tests.proxy.builders import PLACE, build_model, endpoint, endpoint_slice, service
from wherry.proxy.backends.base import NodeNetwork
from wherry.proxy.backends.iptables import parse_saved, removal_text, wanted_jumps
from wherry.proxy.backends.iptables_rules import chain_prefix, render, restore_text

NETWORK = NodeNetwork(
    owner="default",
    cluster_cidr="10.244.0.0/24",
    service_cidr="10.96.0.0/16",
    server_ports=(6443, 10250),
)
TWO = [endpoint("10.244.0.2"), endpoint("10.244.0.3")]

CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "cluster-ip": ({}, TWO),
    "no-endpoints": ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}, []),
    "node-port": ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}, TWO),
    "node-port-local": (
        {
            "type": "NodePort",
            "externalTrafficPolicy": "Local",
            "ports": [{"port": 80, "nodePort": 30080}],
        },
        [endpoint("10.244.0.2"), endpoint("10.244.1.2", "there")],
    ),
    "affinity": ({"sessionAffinity": "ClientIP"}, TWO),
    "external-ips": ({"externalIPs": ["80.11.12.10"]}, TWO),
}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, golden: Golden) -> None:
    spec, endpoints = CASES[case]
    rules = render(build_model([service(**spec)], [endpoint_slice("web", *endpoints)], PLACE), NETWORK)
    text = restore_text({"nat": rules.nat, "filter": rules.filter}, {}, wanted_jumps(rules))
    golden(Path(__file__).parent / "golden" / f"{case}.rules", text)


def test_nothing_to_change_is_no_text() -> None:
    rules = render(build_model([service()], [endpoint_slice("web", *TWO)], PLACE), NETWORK)
    wanted = {"nat": rules.nat, "filter": rules.filter}
    assert restore_text(wanted, wanted, []) == ""


def test_only_what_differs_is_written_and_stale_chains_go() -> None:
    before = render(build_model([service()], [endpoint_slice("web", *TWO)], PLACE), NETWORK)
    after = render(build_model([service()], [endpoint_slice("web", TWO[0])], PLACE), NETWORK)
    text = restore_text({"nat": after.nat}, {"nat": before.nat}, [])
    gone = (before.nat.keys() - after.nat.keys()).pop()
    assert f"-X {gone}\n" in text
    assert ":WHR" in text
    assert "SERVICES" not in text


def test_chain_names_fit() -> None:
    spec, _ = CASES["node-port-local"]
    rules = render(build_model([service(**spec)], [endpoint_slice("web", *TWO)], PLACE), NETWORK)
    assert max(map(len, rules.nat)) <= 28


def test_what_a_predecessor_left_is_found_and_nothing_else() -> None:
    prefix = chain_prefix(NETWORK)
    saved = (
        f"*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n:{prefix}SERVICES - [0:0]\n"
        f"-A PREROUTING -j {prefix}SERVICES\n-A PREROUTING -j DOCKER\n"
        f"-A {prefix}SERVICES -j {prefix}NODEPORTS\n"
        "COMMIT\n*raw\n:x - [0:0]\nCOMMIT\n"
    )
    chains, jumps = parse_saved(saved, prefix)
    assert list(chains["nat"]) == [f"{prefix}SERVICES"]
    assert jumps == {("nat", "PREROUTING", f"-j {prefix}SERVICES")}
    assert removal_text(chains, jumps) == (
        f"*nat\n:{prefix}SERVICES - [0:0]\n-D PREROUTING -j {prefix}SERVICES\n-X {prefix}SERVICES\nCOMMIT\n"
    )


def test_no_external_address_takes_over_anything_of_the_clusters() -> None:
    thief = service(
        "a-thief",
        clusterIP="10.96.0.66",
        externalIPs=["10.96.0.10", "10.244.0.2", "192.0.2.2"],
        ports=[{"port": 10250, "protocol": "TCP"}],
    )
    slices = [endpoint_slice("a-thief", endpoint("10.244.0.9")), endpoint_slice("web", *TWO)]
    rules = render(build_model([thief, service()], slices, PLACE), NETWORK)
    (services,) = [found for name, found in rules.nat.items() if name.endswith("-SERVICES")]
    destinations = [rule.split()[1] for rule in services if rule.startswith("-d ")]
    assert destinations == ["10.96.0.66/32", "10.96.0.10/32", "192.0.2.2/32"]
    servers = "-p tcp -m addrtype --dst-type LOCAL -m multiport --dports 6443,10250"
    order = [services.index(f"{servers} -j ACCEPT"), *map(services.index, services[:2])]
    assert order[1:] == [0, 1], "ClusterIPs are looked at first"
    assert order[0] == 2, "then the node's own servers, then what services would like to have"
    refused = render(build_model([thief], [], PLACE), NETWORK).filter
    (refusals,) = [found for name, found in refused.items() if name.endswith("-REFUSE")]
    assert refusals[0] == f"{servers} -j RETURN"
