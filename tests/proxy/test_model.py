"""Which endpoints get traffic, and which services are handled at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.builders import PLACE, endpoint, endpoint_slice, service
from wherry.proxy.model import Endpoint, service_ports

HERE, THERE = Endpoint("10.244.0.2", 8080, True, True), Endpoint("10.244.1.2", 8080)


@pytest.mark.parametrize(
    ("endpoints", "cluster", "local"),
    [
        pytest.param(
            [endpoint("10.244.0.2"), endpoint("10.244.1.2", "there")], {HERE, THERE}, {HERE}, id="ready"
        ),
        pytest.param([endpoint("10.244.0.2", ready=False)], set(), set(), id="not ready"),
        pytest.param(
            [endpoint("10.244.0.2", ready=False, serving=True, terminating=True)],
            {HERE},
            {HERE},
            id="draining, nobody else",
        ),
        pytest.param(
            [
                endpoint("10.244.0.2", ready=False, serving=True, terminating=True),
                endpoint("10.244.1.2", "there"),
            ],
            {THERE},
            {HERE},
            id="draining here, ready elsewhere",
        ),
        pytest.param([{"addresses": ["10.244.0.2"], "nodeName": "here"}], {HERE}, {HERE}, id="no conditions"),
    ],
)
def test_endpoints(endpoints: list[dict[str, Any]], cluster: set[Endpoint], local: set[Endpoint]) -> None:
    spec = {"type": "NodePort", "externalTrafficPolicy": "Local"}
    (port,) = service_ports(service(**spec), [endpoint_slice("web", *endpoints)], PLACE)
    assert set(port.internal) == cluster
    assert set(port.external) == local


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "ExternalName", "clusterIP": ""},
        {"clusterIP": "None"},
        {"clusterIP": "fd00::1"},
    ],
)
def test_not_handled(spec: dict[str, Any]) -> None:
    assert service_ports(service(**spec), [], PLACE) == ()


def test_ports_are_matched_by_name_and_protocol() -> None:
    ports = [
        {"name": "http", "port": 80, "protocol": "TCP"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    slices = endpoint_slice("web", endpoint("10.244.0.2"))
    slices["ports"] = [
        {"name": "dns", "port": 5353, "protocol": "UDP"},
        {"name": "http", "port": 8080, "protocol": "TCP"},
    ]
    dns, http = service_ports(service(ports=ports), [slices], PLACE)
    assert (dns.name, dns.internal[0].port) == ("default/web:dns", 5353)
    assert (http.name, http.internal[0].port) == ("default/web:http", 8080)


def test_session_affinity_defaults_to_three_hours() -> None:
    (port,) = service_ports(service(sessionAffinity="ClientIP"), [], PLACE)
    assert port.affinity_s == 10800


@pytest.mark.parametrize(
    ("slices", "spec"),
    [
        pytest.param({"endpoints": [endpoint("10.244.0.2; flush ruleset")]}, {}, id="no address"),
        pytest.param({"endpoints": [endpoint("010.244.0.2")]}, {}, id="a zero in front"),
        pytest.param({"addressType": "IPv6", "endpoints": [endpoint("fd00::2")]}, {}, id="IPv6"),
        pytest.param({"endpoints": [endpoint("")]}, {}, id="none"),
    ],
)
def test_only_addresses_get_into_rules(slices: dict[str, Any], spec: dict[str, Any]) -> None:
    (port,) = service_ports(service(**spec), [{**endpoint_slice("web"), **slices}], PLACE)
    assert port.cluster == ()


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "10.96.0.10 accept"},
        {"externalIPs": ["192.0.2.1\n"]},
        {"loadBalancerSourceRanges": ["192.0.2.0/24 accept"]},
        {"ports": [{"port": "80; drop"}]},
        {"ports": [{"port": 80, "nodePort": "x"}]},
        {"ports": [{"port": 80, "protocol": "tcp drop"}]},
    ],
)
def test_words_that_are_none_of_a_service_are_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        service_ports(service(**spec), [], PLACE)


@pytest.mark.parametrize(
    ("policies", "endpoints", "refusals"),
    [
        ({}, [], ("reject", "reject")),
        ({"internalTrafficPolicy": "Local"}, [endpoint("10.244.1.2", "there")], ("drop", "")),
        ({"externalTrafficPolicy": "Local"}, [endpoint("10.244.1.2", "there")], ("", "drop")),
        ({"externalTrafficPolicy": "Local"}, [endpoint("10.244.0.2")], ("", "")),
    ],
)
def test_traffic_that_nobody_gets(
    policies: dict[str, str], endpoints: list[dict[str, Any]], refusals: tuple[str, str]
) -> None:
    spec = {"type": "NodePort", **policies}
    (port,) = service_ports(service(**spec), [endpoint_slice("web", *endpoints)], PLACE)
    assert (port.refusal_inside, port.refusal_outside) == refusals
