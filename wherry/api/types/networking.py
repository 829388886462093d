# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `networking` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import core, meta


class HTTPIngressPath(TypedDict, total=False):
    backend: IngressBackend
    path: str
    pathType: str


class HTTPIngressRuleValue(TypedDict, total=False):
    paths: list[HTTPIngressPath]


class IPAddress(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: IPAddressSpec


class IPAddressList(TypedDict, total=False):
    apiVersion: str
    items: list[IPAddress]
    kind: str
    metadata: meta.ListMeta


class IPAddressSpec(TypedDict, total=False):
    parentRef: ParentReference


IPBlock = TypedDict(
    "IPBlock",
    {
        "cidr": "str",
        "except": "list[str]",
    },
    total=False,
)


class Ingress(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: IngressSpec
    status: IngressStatus


class IngressBackend(TypedDict, total=False):
    resource: core.TypedLocalObjectReference
    service: IngressServiceBackend


class IngressClass(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: IngressClassSpec


class IngressClassList(TypedDict, total=False):
    apiVersion: str
    items: list[IngressClass]
    kind: str
    metadata: meta.ListMeta


class IngressClassParametersReference(TypedDict, total=False):
    apiGroup: str
    kind: str
    name: str
    namespace: str
    scope: str


class IngressClassSpec(TypedDict, total=False):
    controller: str
    parameters: IngressClassParametersReference


class IngressList(TypedDict, total=False):
    apiVersion: str
    items: list[Ingress]
    kind: str
    metadata: meta.ListMeta


class IngressLoadBalancerIngress(TypedDict, total=False):
    hostname: str
    ip: str
    ports: list[IngressPortStatus]


class IngressLoadBalancerStatus(TypedDict, total=False):
    ingress: list[IngressLoadBalancerIngress]


class IngressPortStatus(TypedDict, total=False):
    error: str
    port: int
    protocol: str


class IngressRule(TypedDict, total=False):
    host: str
    http: HTTPIngressRuleValue


class IngressServiceBackend(TypedDict, total=False):
    name: str
    port: ServiceBackendPort


class IngressSpec(TypedDict, total=False):
    defaultBackend: IngressBackend
    ingressClassName: str
    rules: list[IngressRule]
    tls: list[IngressTLS]


class IngressStatus(TypedDict, total=False):
    loadBalancer: IngressLoadBalancerStatus


class IngressTLS(TypedDict, total=False):
    hosts: list[str]
    secretName: str


class NetworkPolicy(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: NetworkPolicySpec


class NetworkPolicyEgressRule(TypedDict, total=False):
    ports: list[NetworkPolicyPort]
    to: list[NetworkPolicyPeer]


NetworkPolicyIngressRule = TypedDict(
    "NetworkPolicyIngressRule",
    {
        "from": "list[NetworkPolicyPeer]",
        "ports": "list[NetworkPolicyPort]",
    },
    total=False,
)


class NetworkPolicyList(TypedDict, total=False):
    apiVersion: str
    items: list[NetworkPolicy]
    kind: str
    metadata: meta.ListMeta


class NetworkPolicyPeer(TypedDict, total=False):
    ipBlock: IPBlock
    namespaceSelector: meta.LabelSelector
    podSelector: meta.LabelSelector


class NetworkPolicyPort(TypedDict, total=False):
    endPort: int
    port: int | str
    protocol: str


class NetworkPolicySpec(TypedDict, total=False):
    egress: list[NetworkPolicyEgressRule]
    ingress: list[NetworkPolicyIngressRule]
    podSelector: meta.LabelSelector
    policyTypes: list[str]


class ParentReference(TypedDict, total=False):
    group: str
    name: str
    namespace: str
    resource: str


class ServiceBackendPort(TypedDict, total=False):
    name: str
    number: int


class ServiceCIDR(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ServiceCIDRSpec
    status: ServiceCIDRStatus


class ServiceCIDRList(TypedDict, total=False):
    apiVersion: str
    items: list[ServiceCIDR]
    kind: str
    metadata: meta.ListMeta


class ServiceCIDRSpec(TypedDict, total=False):
    cidrs: list[str]


class ServiceCIDRStatus(TypedDict, total=False):
    conditions: list[meta.Condition]
