from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.core.examples import changed, create, stored, update
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, 1, 0, 0, tzinfo=UTC)


def endpoint_slice(**changes: Any) -> Object:
    obj: Object = {
        "metadata": {"name": "web-abc", "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [{"port": 80}],
    }
    return changed(obj, changes)


def test_defaults() -> None:
    obj = endpoint_slice()
    assert create(ENDPOINT_SLICES, obj) == []
    assert obj["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    assert obj["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"addressType": ""}, ["addressType: Required value"]),
        (
            {"addressType": "MAC"},
            ['addressType: Unsupported value: "MAC": supported values: "FQDN", "IPv4", "IPv6"'],
        ),
        (
            {"endpoints": [{"addresses": []}]},
            ["endpoints[0].addresses: Required value: must contain at least 1 address"],
        ),
        (
            {"endpoints": [{"addresses": ["fd00::1"]}]},
            ['endpoints[0].addresses[0]: Invalid value: "fd00::1": must be a valid IPv4 address'],
        ),
        (
            {"addressType": "IPv6", "endpoints": [{"addresses": ["::ffff:127.0.0.1"]}]},
            [
                'endpoints[0].addresses[0]: Invalid value: "::ffff:127.0.0.1": must be a valid IPv6 address',
                (
                    'endpoints[0].addresses[0]: Invalid value: "::ffff:127.0.0.1": '
                    "may not be in the loopback range (127.0.0.0/8, ::1/128)"
                ),
            ],
        ),
        (
            {"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]},
            ['ports[1].name: Duplicate value: "a"'],
        ),
        (
            {"ports": [{"port": 80, "protocol": "tcp"}]},
            ['ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"endpoints": [{"addresses": ["10.0.0.1"]}] * 1001},
            ["endpoints: Too many: 1001: must have at most 1000 items"],
        ),
    ],
)
def test_what_is_wrong(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(ENDPOINT_SLICES, endpoint_slice(**changes)) == expected


def test_the_kind_of_address_is_for_life() -> None:
    old = stored(ENDPOINT_SLICES, endpoint_slice())
    new = changed(deepcopy(old), {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"]}]})
    assert update(ENDPOINT_SLICES, new, old) == ['addressType: Invalid value: "IPv6": field is immutable']
    assert new["metadata"]["generation"] == 2


def test_rows() -> None:
    many = [{"addresses": [f"10.0.0.{number}"]} for number in range(1, 6)]
    obj = endpoint_slice(endpoints=many, ports=[{"port": 80}, {"name": "x"}])
    row = ENDPOINT_SLICES.strategy.cells(obj, NOW)
    assert row == ["web-abc", "IPv4", "80,x", "10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...", "60m"]
    empty = ENDPOINT_SLICES.strategy.cells(endpoint_slice(endpoints=[], ports=None), NOW)
    assert empty[2:4] == ["<unset>", "<unset>"]
    assert len(row) == len(ENDPOINT_SLICES.columns)
