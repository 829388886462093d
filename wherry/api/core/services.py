"""Service: one stable address for pods that come and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, SELECTOR, age_of, format_labels
from wherry.api.core.address_warnings import cidr_warnings, ip_warnings
from wherry.api.core.pod_spec.rules import Errors
from wherry.api.core.service_fields import (
    is_external_name,
    is_externally_accessible,
    is_headless,
    prepare_fields,
)
from wherry.api.core.service_validation import (
    TOPOLOGY_HINTS,
    TOPOLOGY_MODE,
    validate_load_balancer_status,
    validate_service,
    validate_service_changes,
)
from wherry.api.resource import Column, Resource, Strategy, Subresource
from wherry.api.validation import DNS_LABEL, validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, annotations_of, name_of

AFFINITY_S = 10800

_WITH_ADDRESS = ("ClusterIP", "NodePort", "LoadBalancer")
_NOTHING: Mapping[str, Any] = {}


class ServiceStrategy(Strategy):
    """Defaults, checks and table row of services."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if (status := obj.get("status")) is not None:
            status.setdefault("loadBalancer", {})
        _default_affinity(spec)
        if not spec.get("type"):
            spec["type"] = "ClusterIP"
        for port in spec.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"
            if not port.get("targetPort") and port.get("port"):
                port["targetPort"] = port["port"]
        if is_externally_accessible(spec) and not spec.get("externalTrafficPolicy"):
            spec["externalTrafficPolicy"] = "Cluster"
        if spec["type"] in _WITH_ADDRESS and spec.get("internalTrafficPolicy") is None:
            spec["internalTrafficPolicy"] = "Cluster"
        if spec["type"] == "LoadBalancer":
            if spec.get("allocateLoadBalancerNodePorts") is None:
                spec["allocateLoadBalancerNodePorts"] = True
            _default_ingress(obj)

    def prepare(self, new: Object, old: Object | None) -> None:
        stored = (old.get("status") if old is not None else None) or {"loadBalancer": {}}
        new["status"] = stored
        prepare_fields(new, old)

    def prepare_status(self, new: Object, old: Object) -> None:
        super().prepare_status(new, old)
        if (old.get("spec") or _NOTHING).get("type") == "LoadBalancer":
            _default_ingress(new)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        errors: Errors
        if old is None:
            errors = validate_object_meta(new, True, DNS_LABEL)
        else:
            errors = validate_object_meta_update(new, old)
            validate_service_changes(new.get("spec") or {}, old.get("spec") or {}, errors)
        validate_service(new, errors)
        return errors

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        errors: Errors = validate_object_meta_update(new, old)
        status = (new.get("status") or _NOTHING).get("loadBalancer") or {}
        kind = (old.get("spec") or _NOTHING).get("type") or ""
        validate_load_balancer_status(status, kind, errors)
        return errors

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        return service_warnings(new)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or _NOTHING
        return [
            name_of(obj),
            spec.get("type") or "",
            next(iter(spec.get("clusterIPs") or ()), spec.get("clusterIP")) or NONE,
            external_ip(obj),
            ports_text(spec),
            age_of(obj, now),
            format_labels(spec.get("selector")),
        ]


def service_warnings(service: Object) -> list[str]:
    """What is said in vain, given what else the service says, by an old name, or in an odd form."""
    spec, texts = service.get("spec") or _NOTHING, list[str]()
    if TOPOLOGY_HINTS in annotations_of(service):
        texts.append(f"annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead")
    for index, ip in enumerate(spec.get("clusterIPs") or ()):
        texts += ip_warnings(ip, f"spec.clusterIPs[{index}]")
    if is_headless(spec):
        ignored = "is ignored for headless services"
        if spec.get("loadBalancerIP"):
            texts.append(f"spec.loadBalancerIP {ignored}")
        if spec.get("externalIPs"):
            texts.append(f"spec.externalIPs {ignored}")
        if spec.get("sessionAffinity") not in (None, "", "None"):
            texts.append(f"spec.SessionAffinity {ignored}")
    for index, ip in enumerate(spec.get("externalIPs") or ()):
        texts += ip_warnings(ip, f"spec.externalIPs[{index}]")
    if spec.get("externalIPs"):
        texts.append("spec.externalIPs is deprecated")
    if ip := spec.get("loadBalancerIP"):
        texts += ip_warnings(ip, "spec.loadBalancerIP")
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        texts += cidr_warnings(cidr, f"spec.loadBalancerSourceRanges[{index}]")
    if is_external_name(spec) and spec.get("externalIPs"):
        texts.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if not is_external_name(spec) and spec.get("externalName"):
        texts.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        texts.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return texts


def wants_topology(service: Mapping[str, Any]) -> bool:
    """Whether the service's endpoints are to be shared out among zones, by the annotation for it."""
    annotations = annotations_of(service)
    return annotations.get(TOPOLOGY_HINTS, annotations.get(TOPOLOGY_MODE)) in ("Auto", "auto")


def _default_affinity(spec: dict[str, Any]) -> None:
    affinity = spec.get("sessionAffinity") or "None"
    spec["sessionAffinity"] = affinity
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or _NOTHING).get("clientIP") or _NOTHING
        if client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_S}}


def _default_ingress(service: Object) -> None:
    status = (service.get("status") or _NOTHING).get("loadBalancer") or _NOTHING
    for entry in status.get("ingress") or ():
        if entry.get("ip") and entry.get("ipMode") is None:
            entry["ipMode"] = "VIP"


def external_ip(service: Object) -> str:
    """The External-IP cell: what the world reaches the service by."""
    spec = service.get("spec") or _NOTHING
    given = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ExternalName":
            return spec.get("externalName") or ""
        case "LoadBalancer":
            status = (service.get("status") or _NOTHING).get("loadBalancer") or _NOTHING
            found = {entry.get("ip") or entry.get("hostname") for entry in status.get("ingress") or ()}
            return ",".join([*sorted(text for text in found if text), *given]) or "<pending>"
        case "ClusterIP" | "NodePort":
            return ",".join(given) or NONE
        case _:
            return "<unknown>"


def ports_text(spec: Mapping[str, Any]) -> str:
    """The Port(s) cell: `80/TCP`, `80:30080/TCP`, joined by commas."""
    texts = []
    for port in spec.get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port.get('port') or 0}{node}/{port.get('protocol') or ''}")
    return ",".join(texts) or NONE


def _spec(field: str) -> Callable[[Object], str]:
    return lambda service: str((service.get("spec") or _NOTHING).get(field) or "")


SERVICES = Resource(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    namespaced=True,
    short_names=("svc",),
    categories=("all",),
    subresources=(
        Subresource(
            "proxy", verbs=("create", "delete", "get", "patch", "update"), kind="ServiceProxyOptions"
        ),
        Subresource("status"),
    ),
    strategy=ServiceStrategy(),
    columns=(
        NAME,
        Column("Type", description="How the service is reached."),
        Column("Cluster-IP", description="The address of the service inside the cluster."),
        Column("External-IP", description="What reaches the service from outside."),
        Column("Port(s)", description="The ports of the service, with node ports."),
        AGE,
        SELECTOR,
    ),
    selectable={"spec.clusterIP": _spec("clusterIP"), "spec.type": _spec("type")},
    schema="io.k8s.api.core.v1.Service",
    storage_key="services/specs",
)
