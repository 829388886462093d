"""Which remembered UDP flows are forgotten when services change."""

from __future__ import annotations

from typing import Any

from tests.proxy.builders import PLACE, endpoint, endpoint_slice, service
from wherry.proxy.conntrack import plan_flushes
from wherry.proxy.model import Ports, service_ports


def model(*ips: str, protocol: str = "UDP") -> Ports:
    slices = endpoint_slice("web", *(endpoint(ip) for ip in ips), port=53)
    slices["ports"][0]["protocol"] = protocol
    return service_ports(service(ports=[{"port": 53, "protocol": protocol}]), [slices], PLACE)


def test_flows_to_a_removed_endpoint_go() -> None:
    calls = plan_flushes(model("10.244.0.2", "10.244.0.3"), model("10.244.0.2"))
    assert calls == [["--orig-dst", "10.96.0.10", "--dst-nat", "10.244.0.3"]]


def test_flows_of_a_service_that_had_no_endpoints_go() -> None:
    assert plan_flushes(model(), model("10.244.0.2")) == [["--orig-dst", "10.96.0.10"]]


def test_tcp_and_what_stays_is_left_alone() -> None:
    assert plan_flushes(model("10.244.0.2", protocol="TCP"), model(protocol="TCP")) == []
    assert plan_flushes(model("10.244.0.2"), model("10.244.0.2", "10.244.0.3")) == []


def test_flows_by_the_node_port_go_too_and_by_an_address_that_is_gone() -> None:
    def ports(*ips: str, **spec: Any) -> Ports:
        slices = endpoint_slice("web", *(endpoint(ip) for ip in ips), port=53)
        slices["ports"][0]["protocol"] = "UDP"
        listed = [{"port": 53, "protocol": "UDP", "nodePort": 30053}]
        return service_ports(service(ports=listed, type="NodePort", **spec), [slices], PLACE)

    assert plan_flushes(ports("10.244.0.2", "10.244.0.3"), ports("10.244.0.2")) == [
        ["--orig-dst", "10.96.0.10", "--dst-nat", "10.244.0.3"],
        ["--orig-port-dst", "30053", "--dst-nat", "10.244.0.3"],
    ]
    assert plan_flushes(ports("10.244.0.2"), ports("10.244.0.2", clusterIP="10.96.0.99")) == [
        ["--orig-dst", "10.96.0.10", "--dst-nat", "10.244.0.2"]
    ]
