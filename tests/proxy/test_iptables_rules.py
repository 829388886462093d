"""Rendered rules against golden files, and the smallest text that turns one state into another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Golden
from tests.proxy.builders import endpoint, endpoint_slice, service
from wherry.proxy.backends.base import NodeNetwork
from wherry.proxy.backends.iptables import parse_saved, removal_text, wanted_jumps
from wherry.proxy.backends.iptables_rules import chain_prefix, render, restore_text
from wherry.proxy.model import build_model

NETWORK = NodeNetwork(
    cluster="default", pod_cidr="10.244.0.0/24", service_cidr="10.96.0.0/16", bridge="wry-default"
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
    rules = render(build_model([service(**spec)], [endpoint_slice("web", *endpoints)], "here"), NETWORK)
    text = restore_text({"nat": rules.nat, "filter": rules.filter}, {}, wanted_jumps(rules))
    golden(Path(__file__).parent / "golden" / f"{case}.rules", text)


def test_nothing_to_change_is_no_text() -> None:
    rules = render(build_model([service()], [endpoint_slice("web", *TWO)], "here"), NETWORK)
    wanted = {"nat": rules.nat, "filter": rules.filter}
    assert restore_text(wanted, wanted, []) == ""


def test_only_what_differs_is_written_and_stale_chains_go() -> None:
    before = render(build_model([service()], [endpoint_slice("web", *TWO)], "here"), NETWORK)
    after = render(build_model([service()], [endpoint_slice("web", TWO[0])], "here"), NETWORK)
    text = restore_text({"nat": after.nat}, {"nat": before.nat}, [])
    gone = (before.nat.keys() - after.nat.keys()).pop()
    assert f"-X {gone}\n" in text
    assert ":WHR" in text
    assert "SERVICES" not in text


def test_chain_names_fit() -> None:
    spec, _ = CASES["node-port-local"]
    rules = render(build_model([service(**spec)], [endpoint_slice("web", *TWO)], "here"), NETWORK)
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
