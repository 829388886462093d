from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.core.examples import changed, create, service, stored, update
from wherry.api.core.services import SERVICES
from wherry.objects.meta import Object

ONLY_LB = "may only be used when `type` is 'LoadBalancer'"
P = "spec.ports[0]"
NOW = datetime(2026, 1, 1, 1, 0, 0, tzinfo=UTC)


def test_a_minimal_service() -> None:
    obj = service()
    assert create(SERVICES, obj) == []
    assert obj["spec"] == {
        "selector": {"app": "web"},
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    assert obj["status"] == {"loadBalancer": {}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"type": "LoadBalancer"},
            {"externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": True},
        ),
        ({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster"}),
        ({"externalIPs": ["192.0.2.1"]}, {"externalTrafficPolicy": "Cluster"}),
        (
            {"sessionAffinity": "ClientIP"},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
        ),
        ({"clusterIP": "None"}, {"clusterIPs": ["None"]}),
        ({"type": "ExternalName", "externalName": "a.example"}, {"internalTrafficPolicy": None}),
    ],
)
def test_defaults_by_type(given: dict[str, Any], expected: dict[str, Any]) -> None:
    obj = service()
    obj["spec"] |= given
    assert create(SERVICES, obj) == []
    assert {field: obj["spec"].get(field) for field in expected} == expected


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no ports": ({"spec.ports": []}, ["spec.ports: Required value"]),
    "headless without ports": ({"spec.ports": [], "spec.clusterIP": "None"}, []),
    "port 0": (
        {f"{P}.port": 0},
        [
            f"{P}.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            f"{P}.targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    ),
    "protocol": (
        {f"{P}.protocol": "ICMP"},
        [f'{P}.protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ),
    "several without names": (
        {"spec.ports": [{"port": 80}, {"port": 81}]},
        ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
    ),
    "same name": (
        {"spec.ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]},
        ['spec.ports[1].name: Duplicate value: "a"'],
    ),
    "same port": (
        {"spec.ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
        [
            (
                'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,'
                '"Port":80,"TargetPort":0,"NodePort":0}'
            )
        ],
    ),
    "same port of two protocols": (
        {"spec.ports": [{"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}]},
        [],
    ),
    "node port of a cluster address": (
        {f"{P}.nodePort": 30000},
        [f"{P}.nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    "same node port": (
        {
            "spec.type": "NodePort",
            "spec.ports": [
                {"port": 80, "name": "a", "nodePort": 30000},
                {"port": 81, "name": "b", "nodePort": 30000},
            ],
        },
        ["spec.ports[1].nodePort: Duplicate value: 30000"],
    ),
    "target port name": (
        {f"{P}.targetPort": "HTTP"},
        [
            (
                f'{P}.targetPort: Invalid value: "HTTP": '
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            ),
            f'{P}.targetPort: Invalid value: "HTTP": must contain at least one letter (a-z)',
        ],
    ),
    "type": (
        {"spec.type": "Magic"},
        [
            (
                'spec.type: Unsupported value: "Magic": '
                'supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
            )
        ],
    ),
    "headless node port": (
        {"spec.type": "NodePort", "spec.clusterIP": "None"},
        ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
    ),
    "external name missing": (
        {"spec.type": "ExternalName"},
        ["spec.externalName: Required value"],
    ),
    "external name with address": (
        {"spec.type": "ExternalName", "spec.externalName": "a.example.", "spec.clusterIP": "10.0.0.1"},
        ["spec.clusterIPs: Forbidden: may not be set for ExternalName services"],
    ),
    "affinity": (
        {"spec.sessionAffinity": "Cookie"},
        ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
    ),
    "affinity for too long": (
        {
            "spec.sessionAffinity": "ClientIP",
            "spec.sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}},
        },
        [
            (
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: "
                "must be greater than 0 and less than 86400"
            )
        ],
    ),
    "address": (
        {"spec.clusterIP": "nowhere"},
        [
            (
                'spec.clusterIPs[0]: Invalid value: "nowhere": '
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            )
        ],
    ),
    "addresses that do not match": (
        {"spec.clusterIP": "10.0.0.1", "spec.clusterIPs": ["10.0.0.2"]},
        ['spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`'],
    ),
    "addresses of one family": (
        {"spec.clusterIP": "10.0.0.1", "spec.clusterIPs": ["10.0.0.1", "10.0.0.2"]},
        [
            (
                'spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: '
                "may specify no more than one IP for each IP family"
            )
        ],
    ),
    "address of the other family": (
        {"spec.clusterIP": "10.0.0.1", "spec.ipFamilies": ["IPv6"]},
        [
            (
                'spec.clusterIPs[0]: Invalid value: "10.0.0.1": '
                "expected an IPv6 value as indicated by `ipFamilies[0]`"
            )
        ],
    ),
    "family": (
        {"spec.ipFamilies": ["IPv5"]},
        ['spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"'],
    ),
    "external loopback": (
        {"spec.externalIPs": ["127.0.0.1"]},
        [
            (
                'spec.externalIPs[0]: Invalid value: "127.0.0.1": '
                "may not be in the loopback range (127.0.0.0/8, ::1/128)"
            )
        ],
    ),
    "source ranges of a cluster address": (
        {"spec.loadBalancerSourceRanges": ["10.0.0.0/8"]},
        [f"spec.LoadBalancerSourceRanges: Forbidden: {ONLY_LB}"],
    ),
    "load balancer class of a cluster address": (
        {"spec.loadBalancerClass": "a.example/b"},
        [f"spec.loadBalancerClass: Forbidden: {ONLY_LB}"],
    ),
    "external policy of a cluster address": (
        {"spec.externalTrafficPolicy": "Local"},
        [
            (
                'spec.externalTrafficPolicy: Invalid value: "Local": '
                "may only be set for externally-accessible services"
            )
        ],
    ),
    "health check port": (
        {"spec.healthCheckNodePort": 30000},
        [
            (
                "spec.healthCheckNodePort: Invalid value: 30000: "
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            )
        ],
    ),
    "internal policy": (
        {"spec.internalTrafficPolicy": "Nearby"},
        ['spec.internalTrafficPolicy: Unsupported value: "Nearby": supported values: "Cluster", "Local"'],
    ),
    "distribution": (
        {"spec.trafficDistribution": "PreferFar"},
        [
            (
                'spec.trafficDistribution: Unsupported value: "PreferFar": '
                'supported values: "PreferClose", "PreferSameNode", "PreferSameZone"'
            )
        ],
    ),
    "name may begin with a digit": ({"metadata.name": "1st"}, []),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong(changes: dict[str, Any], expected: list[str]) -> None:
    assert create(SERVICES, service(**changes)) == expected


def allocated(**changes: Any) -> Object:
    """A stored service as after its address and ports were given out."""
    obj = stored(SERVICES, service(**changes))
    obj["spec"] |= {
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    }
    if obj["spec"]["type"] != "ClusterIP":
        obj["spec"]["ports"][0]["nodePort"] = 30000
    return obj


def renew(old: Object, **changes: Any) -> tuple[Object, list[str]]:
    """What a client that only knows the manifest sends, and what is said of it."""
    new = service(**changes)
    new["metadata"] = deepcopy(old["metadata"])
    return new, update(SERVICES, new, old)


def test_what_was_given_out_is_kept() -> None:
    old = allocated(**{"spec.type": "NodePort"})
    new, errors = renew(old, **{"spec.type": "NodePort"})
    assert errors == []
    assert new["spec"] == old["spec"]
    assert new["spec"]["clusterIPs"] is not old["spec"]["clusterIPs"]


def test_going_back_to_a_cluster_address_drops_the_rest() -> None:
    old = allocated(**{"spec.type": "LoadBalancer"})
    new = changed(deepcopy(old), {"spec.type": "ClusterIP"})
    assert update(SERVICES, new, old) == []
    assert new["spec"]["clusterIP"] == "10.0.0.1"
    assert "nodePort" not in new["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in new["spec"]
    assert "allocateLoadBalancerNodePorts" not in new["spec"]


def test_becoming_a_name_drops_the_address() -> None:
    old = allocated()
    new = changed(deepcopy(old), {"spec.type": "ExternalName", "spec.externalName": "a.example"})
    assert update(SERVICES, new, old) == []
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & new["spec"].keys()


def test_the_address_is_for_life() -> None:
    old = allocated()
    _, errors = renew(old, **{"spec.clusterIP": "10.0.0.2"})
    assert errors == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
    ]
    _, errors = renew(old, **{"spec.clusterIP": "None"})
    assert errors == ['spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set']


def test_a_second_address_is_released_on_purpose() -> None:
    old = allocated()
    old["spec"] |= {
        "clusterIPs": ["10.0.0.1", "fd00::1"],
        "ipFamilies": ["IPv4", "IPv6"],
        "ipFamilyPolicy": "RequireDualStack",
    }
    shrunk = {"spec.clusterIPs": ["10.0.0.1"], "spec.ipFamilies": ["IPv4"]}
    new = changed(deepcopy(old), {**shrunk, "spec.ipFamilyPolicy": "SingleStack"})
    assert update(SERVICES, new, old) == []
    assert update(SERVICES, changed(deepcopy(old), shrunk), old) == [
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
        f"must be set to 'SingleStack' when releasing the secondary {what}"
        for what in ("clusterIP", "ipFamily")
    ]


def test_load_balancer_status() -> None:
    old = allocated(**{"spec.type": "LoadBalancer"})
    new = deepcopy(old)
    new["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    SERVICES.strategy.prepare_status(new, old)
    assert new["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    assert SERVICES.strategy.validate_status(new, old) == []
    plain = allocated()
    wrong = deepcopy(plain) | {"status": new["status"]}
    assert [str(error) for error in SERVICES.strategy.validate_status(wrong, plain)] == [
        "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    ]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (
            {
                "spec": {
                    "type": "ClusterIP",
                    "clusterIP": "10.0.0.1",
                    "ports": [{"port": 80, "protocol": "TCP"}],
                }
            },
            ["ClusterIP", "10.0.0.1", "<none>", "80/TCP"],
        ),
        (
            {
                "spec": {
                    "type": "NodePort",
                    "clusterIPs": ["10.0.0.1"],
                    "externalIPs": ["192.0.2.1", "192.0.2.2"],
                    "ports": [
                        {"port": 80, "nodePort": 30080, "protocol": "TCP"},
                        {"port": 53, "protocol": "UDP"},
                    ],
                }
            },
            ["NodePort", "10.0.0.1", "192.0.2.1,192.0.2.2", "80:30080/TCP,53/UDP"],
        ),
        ({"spec": {"type": "LoadBalancer"}}, ["LoadBalancer", "<none>", "<pending>", "<none>"]),
        (
            {
                "spec": {"type": "LoadBalancer"},
                "status": {"loadBalancer": {"ingress": [{"hostname": "b.example"}, {"ip": "192.0.2.1"}]}},
            },
            ["LoadBalancer", "<none>", "192.0.2.1,b.example", "<none>"],
        ),
        (
            {"spec": {"type": "ExternalName", "externalName": "a.example"}},
            ["ExternalName", "<none>", "a.example", "<none>"],
        ),
        (
            {"spec": {"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"]}},
            ["ClusterIP", "None", "<none>", "<none>"],
        ),
    ],
)
def test_row(obj: dict[str, Any], expected: list[str]) -> None:
    meta = {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"}
    row = SERVICES.strategy.cells({"metadata": meta, **obj}, NOW)
    assert row == ["web", *expected, "60m", "<none>"]
    assert len(row) == len(SERVICES.columns)
