"""Which endpoints get traffic, and which services are handled at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.builders import PLACE, endpoint, endpoint_slice, service
from wherry.proxy.model import Endpoint, build_model

HERE, THERE = Endpoint("10.244.0.2", 8080, True), Endpoint("10.244.1.2", 8080)


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
    (port,) = build_model([service(**spec)], [endpoint_slice("web", *endpoints)], PLACE)
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
    assert build_model([service(**spec)], [], PLACE) == ()


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
    dns, http = build_model([service(ports=ports)], [slices], PLACE)
    assert (dns.name, dns.internal[0].port) == ("default/web:dns", 5353)
    assert (http.name, http.internal[0].port) == ("default/web:http", 8080)


def test_session_affinity_defaults_to_three_hours() -> None:
    (port,) = build_model([service(sessionAffinity="ClientIP")], [], PLACE)
    assert port.affinity_s == 10800
