"""What a Service may say: ports, addresses, traffic policies, and what a type forbids.

Addresses and node ports are given out after these checks, so nothing here asks that they be there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.addresses import family_of, validate_unicast
from wherry.api.core.pod_spec.rules import (
    PROTOCOLS,
    Errors,
    Fields,
    check,
    check_given_choice,
    check_name,
    check_port,
)
from wherry.api.core.service_fields import (
    HEADLESS,
    is_external_name,
    is_externally_accessible,
    is_headless,
    needs_health_check_port,
)
from wherry.api.validation import validate_labels
from wherry.objects.errors import duplicate_value, forbidden_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, annotations_of
from wherry.objects.names import (
    cidr_errors,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    ip_errors,
    is_loose_ip,
    port_number_errors,
    qualified_name_errors,
)
from wherry.objects.repeats import repeated

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES = ("ClientIP", "None")
POLICIES = ("Cluster", "Local")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
LONGEST_AFFINITY_S = 86400
KUBELET_PORT = 10250
TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"

_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def validate_service(service: Object, errors: Errors) -> None:
    """Add what is wrong with a service's spec, whatever it was before."""
    spec = service.get("spec") or {}
    kind, ports = spec.get("type") or "", spec.get("ports") or ()
    headless = is_headless(spec)
    _validate_topology(annotations_of(service), errors)
    if not ports and not headless and kind != "ExternalName":
        errors.append(required("spec.ports"))
    if headless and kind in ("LoadBalancer", "NodePort"):
        detail = f"may not be set to 'None' for {kind} services"
        errors.append(invalid_value("spec.clusterIPs[0]", HEADLESS, detail))
    elif kind == "ExternalName":
        _validate_external_name(spec, errors)
    for index, port in enumerate(ports if kind == "LoadBalancer" else ()):
        if port.get("port") == KUBELET_PORT:
            detail = f"may not expose port {KUBELET_PORT} externally since it is used by kubelet"
            errors.append(invalid_value(f"spec.ports[{index}]", KUBELET_PORT, detail))
    _validate_ports(ports, kind, errors)
    if selector := spec.get("selector"):
        errors.extend(validate_labels(selector, "spec.selector"))
    _validate_affinity(spec, errors)
    if not is_external_name(spec):
        _validate_cluster_ips(spec, errors)
    for index, ip in enumerate(spec.get("externalIPs") or ()):
        at = f"spec.externalIPs[{index}]"
        if ip_errors(ip):
            check(ip_errors, ip, at, errors)
        else:
            validate_unicast(ip, at, errors)
    check_given_choice(spec.get("type"), TYPES, "spec.type", errors)
    _validate_load_balancer(service, spec, errors)
    _validate_traffic(spec, errors)


def _validate_topology(annotations: Mapping[str, str], errors: Errors) -> None:
    """Two annotations, one the older name of the other, may not disagree."""
    mode, hints = annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS)
    if mode is not None and hints is not None and mode != hints:
        detail = f"must match annotations[{TOPOLOGY_HINTS}] when both are specified"
        errors.append(invalid_value(f"metadata.annotations[{TOPOLOGY_MODE}]", mode, detail))


def _validate_external_name(spec: Fields, errors: Errors) -> None:
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(field):
            errors.append(forbidden_value(f"spec.{field}", "may not be set for ExternalName services"))
    name = (spec.get("externalName") or "").removesuffix(".")
    check_name(dns1123_subdomain_errors, name, "spec.externalName", errors)


def _validate_ports(ports: Sequence[Fields], kind: str, errors: Errors) -> None:
    names: set[str] = set()
    for index, port in enumerate(ports):
        _validate_port(port, f"spec.ports[{index}]", len(ports) > 1, names, errors)
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                detail = "may not be used when `type` is 'ClusterIP'"
                errors.append(forbidden_value(f"spec.ports[{index}].nodePort", detail))
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        if number := port.get("nodePort"):
            key = (port.get("protocol") or "", number)
            if key in seen:
                errors.append(duplicate_value(f"spec.ports[{index}].nodePort", number))
            seen.add(key)
    seen.clear()
    for index, port in enumerate(ports):
        key = (port.get("protocol") or "", port.get("port") or 0)
        if key in seen:
            errors.append(duplicate_value(f"spec.ports[{index}]", _shown(*key)))
        seen.add(key)


def _shown(protocol: str, number: int) -> dict[str, Any]:
    """A port as upstream shows a duplicate: only what it was compared by."""
    return {
        "Name": "",
        "Protocol": protocol,
        "AppProtocol": None,
        "Port": number,
        "TargetPort": 0,
        "NodePort": 0,
    }


def _validate_port(port: Fields, path: str, named: bool, names: set[str], errors: Errors) -> None:
    name, number = port.get("name") or "", port.get("port") or 0
    if name:
        check(dns1123_label_errors, name, f"{path}.name", errors)
        if name in names:
            errors.append(duplicate_value(f"{path}.name", name))
        names.add(name)
    elif named:
        errors.append(required(f"{path}.name"))
    errors.extend([invalid_value(f"{path}.port", number, text) for text in port_number_errors(number)])
    check_given_choice(port.get("protocol"), PROTOCOLS, f"{path}.protocol", errors)
    check_port(port.get("targetPort"), f"{path}.targetPort", errors)
    if (protocol := port.get("appProtocol")) is not None:
        check(qualified_name_errors, protocol, f"{path}.appProtocol", errors)


def _validate_affinity(spec: Fields, errors: Errors) -> None:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    check_given_choice(affinity, AFFINITIES, "spec.sessionAffinity", errors)
    path = "spec.sessionAffinityConfig"
    if affinity == "None" and config is not None:
        errors.append(forbidden_value(path, "must not be set when session affinity is None"))
    if affinity != "ClientIP":
        return
    when = "when session affinity type is ClientIP"
    client = (config or {}).get("clientIP")
    seconds = (client or {}).get("timeoutSeconds")
    if config is None:
        errors.append(required(path, when))
    elif client is None:
        errors.append(required(f"{path}.clientIP", when))
    elif seconds is None:
        errors.append(required(f"{path}.clientIP.timeoutSeconds", when))
    elif not 0 < seconds <= LONGEST_AFFINITY_S:
        detail = f"must be greater than 0 and less than {LONGEST_AFFINITY_S}"
        errors.append(invalid_value(f"{path}.clientIP.timeoutSeconds", seconds, detail))


def _validate_cluster_ips(spec: Fields, errors: Errors) -> None:
    ip, ips = spec.get("clusterIP") or "", list(spec.get("clusterIPs") or ())
    path = "spec.clusterIPs"
    if ip:
        if not ips:
            errors.append(required(path))
        elif ips[0] != ip:
            errors.append(invalid_value(path, ips, "first value must match `clusterIP`"))
    elif ips:
        errors.append(invalid_value(path, ips, "must be empty when `clusterIP` is not specified"))
    families = spec.get("ipFamilies") or ()
    twice = dict(repeated(families))
    for index, family in enumerate(families):
        at = f"spec.ipFamilies[{index}]"
        if family not in FAMILIES:
            errors.append(not_supported(at, family, FAMILIES))
        if index in twice:
            errors.append(duplicate_value(at, family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in FAMILY_POLICIES:
        errors.append(not_supported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES))
    if _are_addresses(ips, errors):
        _match_families(ips, families, errors)


def _are_addresses(ips: list[str], errors: Errors) -> bool:
    """Whether what follows may rely on every entry being an address ("None" alone aside)."""
    path, before = "spec.clusterIPs", len(errors)
    for index, ip in enumerate(ips):
        if index == 0 and ip == HEADLESS:
            if len(ips) > 1:
                errors.append(invalid_value(path, ips, "'None' must be the first and only value"))
        else:
            check(ip_errors, ip, f"{path}[{index}]", errors)
    fine = len(errors) == before
    if len(ips) > 2:
        errors.append(invalid_value(path, ips, "may only hold up to 2 values"))
    return fine and ips != [HEADLESS]


def _match_families(ips: list[str], families: Sequence[str], errors: Errors) -> None:
    path = "spec.clusterIPs"
    if len(ips) > 1 and len({family_of(ip) for ip in ips}) < 2:
        errors.append(invalid_value(path, ips, "may specify no more than one IP for each IP family"))
    for index, (ip, family) in enumerate(zip(ips, families, strict=False)):
        if family in FAMILIES and family_of(ip) != family:
            detail = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            errors.append(invalid_value(f"{path}[{index}]", ip, detail))


def _validate_load_balancer(service: Object, spec: Fields, errors: Errors) -> None:
    balanced = spec.get("type") == "LoadBalancer"
    ranges, path = spec.get("loadBalancerSourceRanges") or (), "spec.LoadBalancerSourceRanges"
    noted = annotations_of(service).get(_SOURCE_RANGES)
    if ranges:
        if not balanced:
            errors.append(forbidden_value(path, _ONLY_LOAD_BALANCER))
        for index, value in enumerate(ranges):
            check(cidr_errors, value.strip(), f"{path}[{index}]", errors)
    elif noted is not None:
        path = f"metadata.annotations[{_SOURCE_RANGES}]"
        if not balanced:
            errors.append(forbidden_value(path, _ONLY_LOAD_BALANCER))
        for value in noted.split(",") if noted.strip() else ():
            check(cidr_errors, value.strip(), path, errors)
    if balanced:
        if (name := spec.get("loadBalancerClass")) is not None:
            check(qualified_name_errors, name, "spec.loadBalancerClass", errors)
        return
    for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(field) is not None:
            errors.append(forbidden_value(f"spec.{field}", _ONLY_LOAD_BALANCER))


def _validate_traffic(spec: Fields, errors: Errors) -> None:
    external, path = spec.get("externalTrafficPolicy") or "", "spec.externalTrafficPolicy"
    if is_externally_accessible(spec):
        check_given_choice(external, POLICIES, path, errors)
    elif external:
        detail = "may only be set for externally-accessible services"
        errors.append(invalid_value(path, external, detail))
    number, path = spec.get("healthCheckNodePort") or 0, "spec.healthCheckNodePort"
    if number and needs_health_check_port(spec):
        errors.extend([invalid_value(path, number, text) for text in port_number_errors(number)])
    elif number:
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid_value(path, number, detail))
    internal, path = spec.get("internalTrafficPolicy"), "spec.internalTrafficPolicy"
    if internal is None:
        if spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer"):
            errors.append(required(path))
    elif internal not in POLICIES:
        errors.append(not_supported(path, internal, POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in DISTRIBUTIONS:
        errors.append(not_supported("spec.trafficDistribution", distribution, DISTRIBUTIONS))


def validate_service_changes(new: Fields, old: Fields, errors: Errors) -> None:
    """Add what an update may not have changed between two `spec`s."""
    if not is_external_name(new) and not is_external_name(old):
        _validate_same_ips(new, old, errors)
        _validate_same_families(new, old, errors)
    both = new.get("type") == "LoadBalancer" == old.get("type")
    name = new.get("loadBalancerClass")
    if both and name != old.get("loadBalancerClass"):
        errors.append(invalid_value("spec.loadBalancerClass", name, "may not change once set"))
    before, after = old.get("healthCheckNodePort"), new.get("healthCheckNodePort")
    checked = needs_health_check_port(new) and needs_health_check_port(old)
    if checked and before and after != before:
        errors.append(forbidden_value("spec.healthCheckNodePort", "field is immutable"))


def _validate_same_ips(new: Fields, old: Fields, errors: Errors) -> None:
    """A second address may come and go; the first stays."""
    if is_headless(new) and is_headless(old):
        return
    after, before = list(new.get("clusterIPs") or ()), list(old.get("clusterIPs") or ())
    if before and not after:
        errors.append(invalid_value("spec.clusterIPs[0]", after, "primary clusterIP can not be unset"))
        return
    compared = len(before) if len(before) == len(after) else 1
    for index in range(min(compared, len(before))):
        if before[index] != after[index]:
            path = f"spec.clusterIPs[{index}]"
            errors.append(invalid_value(path, after, "may not change once set"))
    if len(after) == 1 < len(before):
        _require_single_stack(new, "clusterIP", errors)


def _validate_same_families(new: Fields, old: Fields, errors: Errors) -> None:
    if is_headless(new) or is_headless(old):
        return
    after, before = list(new.get("ipFamilies") or ()), list(old.get("ipFamilies") or ())
    if not before or not after:
        return
    compared = len(before) if len(before) == len(after) else 1
    if before[:compared] != after[:compared]:
        errors.append(invalid_value("spec.ipFamilies[0]", after, "may not change once set"))
    if len(after) == 1 < len(before):
        _require_single_stack(new, "ipFamily", errors)


def _require_single_stack(spec: Fields, what: str, errors: Errors) -> None:
    policy = spec.get("ipFamilyPolicy")
    if policy != "SingleStack":
        detail = f"must be set to 'SingleStack' when releasing the secondary {what}"
        errors.append(invalid_value("spec.ipFamilyPolicy", policy, detail))


def validate_load_balancer_status(status: Fields, kind: str, errors: Errors) -> None:
    """What a controller reports of a load balancer; `kind` is the service's type."""
    ingress, path = status.get("ingress") or (), "status.loadBalancer.ingress"
    if ingress and kind != "LoadBalancer":
        detail = "may only be used when `spec.type` is 'LoadBalancer'"
        errors.append(forbidden_value(path, detail))
        return
    for index, entry in enumerate(ingress):
        at = f"{path}[{index}]"
        ip, mode, name = entry.get("ip"), entry.get("ipMode"), entry.get("hostname")
        if ip:
            check(ip_errors, ip, f"{at}.ip", errors)
        if mode is None:
            if ip:
                errors.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif not ip:
            errors.append(forbidden_value(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif mode not in ("Proxy", "VIP"):
            errors.append(not_supported(f"{at}.ipMode", mode, ("Proxy", "VIP")))
        if name:
            check(dns1123_subdomain_errors, name, f"{at}.hostname", errors)
            if is_loose_ip(name):
                detail = "must be a DNS name, not an IP address"
                errors.append(invalid_value(f"{at}.hostname", name, detail))
