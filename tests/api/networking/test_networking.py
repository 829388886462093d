"""Ingresses, network policies, addresses and ranges."""

from typing import Any

import pytest

from tests.api.objects import cells, create, make
from wherry.api.networking.ingresses import INGRESSES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.network_policies import NETWORK_POLICIES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.api.resource import Resource

BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def rule(host: str = "a.example", **path: Any) -> dict[str, Any]:
    entry = {"path": "/", "pathType": "Prefix", "backend": BACKEND, **path}
    return {"host": host, "http": {"paths": [entry]}}


@pytest.mark.parametrize(
    ("spec", "texts"),
    [
        ({"rules": [rule()]}, []),
        ({"rules": [rule("*.example.com")]}, []),
        ({"defaultBackend": BACKEND}, []),
        ({}, ["spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"]),
        (
            {"rules": [rule("10.0.0.010")]},
            ['spec.rules[0].host: Invalid value: "10.0.0.010": must be a DNS name, not an IP address'],
        ),
        (
            {"rules": [rule("10.0.0.1")]},
            ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
        ),
        (
            {"rules": [rule(pathType=None)]},
            ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
        ),
        (
            {"rules": [rule(path="x")]},
            ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'],
        ),
        (
            {"rules": [rule(backend={"service": {"name": "web"}})]},
            ["spec.rules[0].http.paths[0].backend: Required value: port name or number is required"],
        ),
    ],
)
def test_ingresses(spec: dict[str, Any], texts: list[str]) -> None:
    assert create(INGRESSES, make(INGRESSES, spec=spec))[1] == texts


def test_ingress_row() -> None:
    rules = [rule(f"{name}.example") for name in "abcd"]
    status = {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}}
    spec = {"rules": rules, "tls": [{}], "ingressClassName": "nginx"}
    row = cells(INGRESSES, make(INGRESSES, spec=spec, status=status))
    assert row["Hosts"] == "a.example,b.example,c.example + 1 more..."
    assert (row["Class"], row["Address"], row["Ports"]) == ("nginx", "10.0.0.9", "80, 443")


def test_network_policy_defaults_and_row() -> None:
    spec = {"egress": [{"ports": [{"port": 53}]}], "podSelector": {"matchLabels": {"a": "b"}}}
    obj, errors = create(NETWORK_POLICIES, make(NETWORK_POLICIES, spec=spec))
    assert errors == []
    assert obj["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert obj["spec"]["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]
    assert cells(NETWORK_POLICIES, obj)["Pod-Selector"] == "a=b"


@pytest.mark.parametrize(
    ("ingress", "field"),
    [
        ({"from": [{}]}, "spec.ingress[0].from[0]: Required value: must specify a peer"),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]},
            (
                'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": '
                "must be a strict subset of `cidr`"
            ),
        ),
        (
            {"ports": [{"port": 80, "protocol": ""}]},
            (
                'spec.ingress[0].ports[0].protocol: Unsupported value: "": '
                'supported values: "TCP", "UDP", "SCTP"'
            ),
        ),
        (
            {"ports": [{"port": 80, "endPort": 70}]},
            "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
        ),
    ],
)
def test_network_policies_refused(ingress: dict[str, Any], field: str) -> None:
    obj = make(NETWORK_POLICIES, spec={"podSelector": {}, "ingress": [ingress]})
    assert create(NETWORK_POLICIES, obj)[1] == [field]


@pytest.mark.parametrize(
    ("resource", "name", "spec", "fine"),
    [
        (IP_ADDRESSES, "10.0.0.1", {"parentRef": {"resource": "services", "name": "a"}}, True),
        (IP_ADDRESSES, "fd00:0::1", {"parentRef": {"resource": "services", "name": "a"}}, False),
        (IP_ADDRESSES, "10.0.0.1", {}, False),
        (SERVICE_CIDRS, "a", {"cidrs": ["10.0.0.0/24", "fd00::/112"]}, True),
        (SERVICE_CIDRS, "a", {"cidrs": ["10.0.0.0/24", "10.1.0.0/24"]}, False),
        (SERVICE_CIDRS, "a", {}, False),
    ],
)
def test_addresses_and_ranges(resource: Resource, name: str, spec: dict[str, Any], fine: bool) -> None:
    assert (create(resource, make(resource, name=name, spec=spec))[1] == []) is fine


def test_address_row() -> None:
    parent = {"resource": "services", "namespace": "n", "name": "web"}
    obj = make(IP_ADDRESSES, name="10.0.0.1", spec={"parentRef": parent})
    assert cells(IP_ADDRESSES, obj) == {"Name": "10.0.0.1", "ParentRef": "services/n/web"}
