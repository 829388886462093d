"""What is said of addresses and networks in odd forms, and where."""

from typing import Any

import pytest

from tests.api.objects import create, make, update
from wherry.api.core.address_warnings import cidr_warnings, ip_warnings
from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.api.networking.network_policies import NETWORK_POLICIES
from wherry.api.resource import Resource

LONG, SHORT = "2001:db8:0:0::2", "2001:db8::2"
SAID = f'IPv6 address "{LONG}" should be in RFC 5952 canonical format ("{SHORT}")'
SOON = "will be considered invalid in a future Kubernetes release"


@pytest.mark.parametrize(
    ("ip", "text"),
    [
        ("192.12.2.2", ""),
        (SHORT, ""),
        ("None", ""),
        (LONG, SAID),
        ("2001:DB8::2", 'IPv6 address "2001:DB8::2" should be in RFC 5952 canonical format ("2001:db8::2")'),
        ("::ffff:1.2.3.4", f'non-standard IP address "::ffff:1.2.3.4" {SOON}: use "1.2.3.4"'),
    ],
)
def test_an_address(ip: str, text: str) -> None:
    assert ip_warnings(ip, "at") == ([f"at: {text}"] if text else [])


@pytest.mark.parametrize(
    ("cidr", "texts"),
    [
        ("192.12.2.0/24", []),
        ("2001:db8::/64", []),
        ("none", []),
        ("192.12.2.0/024", [f'non-standard CIDR value "192.12.2.0/024" {SOON}: use "192.12.2.0/24"']),
        (
            "192.12.2.8/24",
            [
                (
                    'CIDR value "192.12.2.8/24" is ambiguous in this context '
                    '(should be "192.12.2.0/24" or "192.12.2.8/32"?)'
                )
            ],
        ),
        (
            "2001:db8:0:0::/64",
            ['IPv6 CIDR value "2001:db8:0:0::/64" should be in RFC 5952 canonical format ("2001:db8::/64")'],
        ),
        (
            "2001:db8::1/064",
            [
                (
                    'CIDR value "2001:db8::1/064" is ambiguous in this context '
                    '(should be "2001:db8::/64" or "2001:db8::1/128"?)'
                ),
                f'non-standard CIDR value "2001:db8::1/064" {SOON}: use "2001:db8::/64"',
            ],
        ),
    ],
)
def test_a_network(cidr: str, texts: list[str]) -> None:
    assert cidr_warnings(cidr, "at") == [f"at: {text}" for text in texts]


def test_stored_networks_of_a_policy_stay() -> None:
    spec = {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/8"}}]}]}
    policy = make(NETWORK_POLICIES, spec=spec)
    _, errors = create(NETWORK_POLICIES, policy)
    why = "must not have bits set beyond the prefix length"
    assert errors == [f'spec.egress[0].to[0].ipBlock.cidr: Invalid value: "10.1.2.3/8": {why}']
    assert update(NETWORK_POLICIES, policy, policy)[1] == []


MIRRORED = {"endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"}
MANAGED = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
SUBSETS = [{"addresses": [{"ip": "1.2.3.4"}], "notReadyAddresses": [{"ip": LONG}]}]
SLICE = {"addressType": "IPv6", "endpoints": [{"addresses": [SHORT, LONG]}]}
BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.1/16"]}}


@pytest.mark.parametrize(
    ("kind", "parts", "paths"),
    [
        (SERVICES, {"spec": {"clusterIPs": ["1.2.3.4", LONG]}}, ["spec.clusterIPs[1]"]),
        (
            SERVICES,
            {"spec": {"externalIPs": [LONG]}},
            ["spec.externalIPs[0]", "spec.externalIPs is deprecated"],
        ),
        (SERVICES, {"spec": {"loadBalancerIP": LONG}}, ["spec.loadBalancerIP"]),
        (
            SERVICES,
            {"spec": {"loadBalancerSourceRanges": ["1.2.3.4/8"]}},
            ["spec.loadBalancerSourceRanges[0]"],
        ),
        (SERVICES, {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}, []),
        (PODS, {"spec": {"dnsConfig": {"nameservers": [LONG]}}}, ["spec.dnsConfig.nameservers[0]"]),
        (PODS, {"spec": {"hostAliases": [{"ip": LONG}]}}, ["spec.hostAliases[0].ip"]),
        (ENDPOINTS, {"subsets": SUBSETS}, ["subsets[0].notReadyAddresses[0].ip"]),
        (ENDPOINTS, {"subsets": SUBSETS, "metadata": {"labels": MANAGED}}, []),
        (ENDPOINT_SLICES, SLICE, ["endpoints[0].addresses[1]"]),
        (ENDPOINT_SLICES, {**SLICE, "metadata": {"labels": MIRRORED}}, []),
        (ENDPOINT_SLICES, {"addressType": "FQDN"}, ["spec.addressType"]),
        (
            NETWORK_POLICIES,
            {"spec": {"egress": [{"to": [BLOCK]}]}},
            ["spec.egress[0].to[0].ipBlock.except[0]"],
        ),
        (NETWORK_POLICIES, {"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}}, []),
    ],
)
def test_where_it_is_said(kind: Resource, parts: dict[str, Any], paths: list[str]) -> None:
    texts = kind.strategy.warnings(make(kind, **parts), None)
    assert [text.partition(": ")[0] for text in texts] == paths


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (
            {"metadata": {"annotations": {"service.kubernetes.io/topology-aware-hints": "Auto"}}},
            (
                "annotation service.kubernetes.io/topology-aware-hints is deprecated, "
                "please use service.kubernetes.io/topology-mode instead"
            ),
        ),
        (
            {"spec": {"type": "ClusterIP", "externalName": "a.b"}},
            'spec.externalName is ignored when spec.type is not "ExternalName"',
        ),
        ({"spec": {"type": "ExternalName", "externalName": "a.b"}}, ""),
        (
            {"spec": {"trafficDistribution": "PreferClose"}},
            'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
        ),
        ({"spec": {"trafficDistribution": "PreferSameZone"}}, ""),
    ],
)
def test_old_names_of_a_service(parts: dict[str, Any], text: str) -> None:
    assert SERVICES.strategy.warnings(make(SERVICES, **parts), None) == ([text] if text else [])
