from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.core.examples import create
from wherry.api.core.endpoints import ENDPOINTS, endpoints_text
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, 1, 0, 0, tzinfo=UTC)


def endpoints(*subsets: dict[str, Any]) -> Object:
    return {"metadata": {"name": "web", "namespace": "default"}, "subsets": list(subsets)}


def test_ports_are_tcp_unless_said() -> None:
    obj = endpoints({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]})
    assert create(ENDPOINTS, obj) == []
    assert obj["subsets"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ({}, ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]),
        (
            {"notReadyAddresses": [{"ip": "127.0.0.1"}]},
            [
                (
                    'subsets[0].notReadyAddresses[0].ip: Invalid value: "127.0.0.1": '
                    "may not be in the loopback range (127.0.0.0/8, ::1/128)"
                )
            ],
        ),
        (
            {"addresses": [{"ip": "169.254.0.1"}]},
            [
                (
                    'subsets[0].addresses[0].ip: Invalid value: "169.254.0.1": '
                    "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
                )
            ],
        ),
        (
            {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}, {"port": 81, "name": "b"}]},
            ["subsets[0].ports[0].name: Required value"],
        ),
        (
            {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 0}]},
            ["subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"],
        ),
    ],
)
def test_what_is_wrong(subset: dict[str, Any], expected: list[str]) -> None:
    assert create(ENDPOINTS, endpoints(subset)) == expected


def some(count: int) -> list[dict[str, str]]:
    return [{"ip": f"10.0.0.{number}"} for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (endpoints(), "<none>"),
        (endpoints({"addresses": some(2)}), "10.0.0.1,10.0.0.2"),
        (
            endpoints({"addresses": some(2), "ports": [{"port": 80}, {"port": 81}]}),
            "10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...",
        ),
        (endpoints({"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}), "[fd00::1]:80"),
    ],
)
def test_text(obj: Object, text: str) -> None:
    assert endpoints_text(obj) == text
    assert len(ENDPOINTS.strategy.cells(obj, NOW)) == len(ENDPOINTS.columns)
