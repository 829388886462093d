"""Hints keep traffic near, or are not heeded at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.builders import PLACE, endpoint, endpoint_slice, service
from wherry.objects.meta import Object
from wherry.proxy.model import service_ports
from wherry.proxy.topology import Place


def hinted(ip: str, *zones: str, nodes: tuple[str, ...] = (), **more: Any) -> Object:
    hints = {"forZones": [{"name": zone} for zone in zones]} if zones else {}
    if nodes:
        hints["forNodes"] = [{"name": node} for node in nodes]
    return {**endpoint(ip, **more), "hints": hints}


NEAR, FAR = hinted("10.244.0.2", "near", node="other"), hinted("10.244.0.3", "far", node="far")
GONE = endpoint("10.244.0.9", ready=False, serving=True, terminating=True)


@pytest.mark.parametrize(
    ("endpoints", "place", "chosen"),
    [
        pytest.param([NEAR, FAR], PLACE, {"2"}, id="of this zone"),
        pytest.param([NEAR, FAR], Place("here", "third"), {"2", "3"}, id="none of this zone"),
        pytest.param([NEAR, FAR], Place("here"), {"2", "3"}, id="a node without a zone"),
        pytest.param([NEAR, FAR, endpoint("10.244.0.4")], PLACE, {"2", "3", "4"}, id="one without a hint"),
        pytest.param([NEAR, FAR, GONE], PLACE, {"2"}, id="one that is not ready needs no hint"),
        pytest.param([GONE], PLACE, {"9"}, id="none is ready"),
        pytest.param(
            [
                hinted("10.244.0.2", "near", nodes=("here",)),
                hinted("10.244.0.3", "near", nodes=("there",), node="there"),
            ],
            PLACE,
            {"2"},
            id="of this node",
        ),
        pytest.param(
            [
                hinted("10.244.0.2", "near", nodes=("there",), node="there"),
                hinted("10.244.0.3", "far", nodes=("far",), node="far"),
            ],
            PLACE,
            {"2"},
            id="none of this node, so of its zone",
        ),
    ],
)
def test_who_gets_traffic(endpoints: list[Object], place: Place, chosen: set[str]) -> None:
    (port,) = service_ports(service(), [endpoint_slice("web", *endpoints)], place)
    assert {found.ip.rpartition(".")[2] for found in port.internal} == chosen
    assert port.internal == port.cluster


def test_a_local_policy_does_not_ask_for_hints() -> None:
    spec = {"type": "NodePort", "externalTrafficPolicy": "Local"}
    far = hinted("10.244.0.3", "far", node="here")
    (port,) = service_ports(service(**spec), [endpoint_slice("web", NEAR, far)], PLACE)
    assert [found.ip for found in port.external] == ["10.244.0.3"]
    assert [found.ip for found in port.internal] == ["10.244.0.2"]
