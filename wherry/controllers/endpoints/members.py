"""The pods behind a service, as both controllers see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from wherry.api.core.pod_conditions import is_ready
from wherry.client.cache import Cache
from wherry.kit.portions import Portions
from wherry.objects.meta import (
    Object,
    is_deleting,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)

HEADLESS = "service.kubernetes.io/headless"
Port = dict[str, Any]


def selects(service: Object) -> bool:
    """Whether the service picks its pods by itself (else someone else writes its endpoints)."""
    spec = service.get("spec") or {}
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def is_headless(service: Object) -> bool:
    """Whether the service has no address of its own."""
    return (service.get("spec") or {}).get("clusterIP") == "None"


def is_member(pod: Object, with_terminating: bool) -> bool:
    """Whether the pod has an address that may be listed."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed") or not ips_of(pod):
        return False
    return with_terminating or not is_deleting(pod)


def ips_of(pod: Object) -> list[str]:
    """All addresses of the pod, the primary one first."""
    status = pod.get("status") or {}
    listed = [entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")]
    return listed or ([status["podIP"]] if status.get("podIP") else [])


def ip_of_family(pod: Object, family: str) -> str | None:
    """The pod's first address of a family (IPv4 or IPv6)."""
    version = 6 if family == "IPv6" else 4
    return next((ip for ip in ips_of(pod) if ip_address(ip).version == version), None)


def families_of(service: Object) -> list[str]:
    """The address families the service has endpoints of, the first one primary."""
    return list((service.get("spec") or {}).get("ipFamilies") or ["IPv4"])


def ports_for(service: Object, pod: Object) -> list[Port]:
    """The service's ports as this pod serves them; a named port the pod lacks is left out."""
    found = []
    declared: dict[tuple[str, str], int] | None = None
    for port in (service.get("spec") or {}).get("ports") or ():
        number: int | None
        protocol = port.get("protocol") or "TCP"
        target = port.get("targetPort") or port["port"]
        if isinstance(target, int):
            number = target
        else:
            declared = _named_ports(pod) if declared is None else declared
            number = declared.get((target, protocol))
        if number is None:
            continue
        entry: Port = {"name": port.get("name") or "", "port": number, "protocol": protocol}
        if port.get("appProtocol"):
            entry["appProtocol"] = port["appProtocol"]
        found.append(entry)
    return found


def _named_ports(pod: Object) -> dict[tuple[str, str], int]:
    """The first port of each name and protocol that a container or sidecar declares."""
    spec, found = pod.get("spec") or {}, dict[tuple[str, str], int]()
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for declared in container.get("ports") or ():
            if name := declared.get("name"):
                found.setdefault((name, declared.get("protocol") or "TCP"), int(declared["containerPort"]))
    return found


def reference_to(pod: Object) -> dict[str, str]:
    """The targetRef of an address."""
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}


def hostname_in(service: Object, pod: Object) -> str:
    """The name DNS gives the pod within the service, "" for none."""
    spec = pod.get("spec") or {}
    same = spec.get("hostname") and spec.get("subdomain") == name_of(service)
    return str(spec["hostname"]) if same and namespace_of(pod) == namespace_of(service) else ""


def publishes_unready(service: Object) -> bool:
    """Whether readiness does not matter to the service."""
    return bool((service.get("spec") or {}).get("publishNotReadyAddresses"))


async def members_of(
    service: Object, pods: Iterable[Object], portions: Portions, *, with_terminating: bool
) -> list[Object]:
    """The pods of the service's namespace that belong to it, by name."""
    wanted = service["spec"]["selector"].items()
    found = []
    for pod in pods:
        await portions.next()
        if wanted <= labels_of(pod).items() and is_member(pod, with_terminating):
            found.append(pod)
    return sorted(found, key=name_of)


def _facts(pod: Object) -> tuple[Any, ...]:
    """All of a pod that endpoints depend on."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    return (
        labels_of(pod),
        ips_of(pod),
        is_ready(pod),
        is_deleting(pod),
        status.get("phase") in ("Succeeded", "Failed"),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
        metadata(pod).get("uid"),
    )


def is_same_to_endpoints(old: Object, new: Object) -> bool:
    """Whether nothing that endpoints show of a pod has changed."""
    return _facts(old) == _facts(new)


def by_label(label: str) -> Callable[[Cache, Object | None, Object | None], Iterable[str]]:
    """A mapper: to the service a label names, "" for one named as the object itself."""

    def keys(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        obj = new or old or {}
        name = labels_of(obj).get(label) if label else name_of(obj)
        return (f"{namespace_of(obj)}/{name}",) if name else ()

    return keys


def copied_labels(service: Object, own: dict[str, str]) -> dict[str, str]:
    """The service's labels as its endpoints carry them, with `own` ones and the headless mark."""
    labels = {key: value for key, value in labels_of(service).items() if key != HEADLESS}
    if is_headless(service):
        labels[HEADLESS] = ""
    return {**labels, **own}
