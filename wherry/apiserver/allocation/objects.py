"""The IPAddress objects that give addresses to Services, and what a ServiceCIDR says of its ranges.

Source: pkg/registry/core/service/ipallocator (createIPAddress) and its controller/repairip.
"""

from __future__ import annotations

from collections.abc import Mapping

from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, is_deleting, labels_of, name_of

FAMILY_LABEL = "ipaddress.kubernetes.io/ip-family"
MANAGED_BY_LABEL = "ipaddress.kubernetes.io/managed-by"
MANAGER = "ipallocator.k8s.io"
HEADLESS = "None"
DEFAULT_CIDR = "kubernetes"


def family_of(address: str) -> str:
    """The IP family of an address."""
    return "IPv6" if ":" in address else "IPv4"


def address_object(address: str, namespace: str, name: str, **server_set: str) -> Object:
    """The IPAddress that gives `address` (canonical) to the Service of that name.

    `server_set` is the metadata that creating it sets. It has no managedFields, which would be half of it:
    nobody else writes these fields.
    """
    return {
        "apiVersion": IP_ADDRESSES.api_version,
        "kind": IP_ADDRESSES.kind,
        "metadata": {
            "name": address,
            **server_set,
            "labels": {FAMILY_LABEL: family_of(address), MANAGED_BY_LABEL: MANAGER},
        },
        "spec": {"parentRef": {"resource": "services", "namespace": namespace, "name": name}},
    }


def is_managed(address: Object) -> bool:
    """Whether the allocator made the IPAddress, by what its labels say."""
    return labels_of(address).get(MANAGED_BY_LABEL) == MANAGER


def has_right_labels(address: Object) -> bool:
    """Whether the labels are those the allocator gives an IPAddress of that name."""
    return is_managed(address) and labels_of(address).get(FAMILY_LABEL) == family_of(name_of(address))


def parent_of(address: Object) -> Object:
    """What the IPAddress is used for."""
    parent: Object = (address.get("spec") or {}).get("parentRef") or {}
    return parent


def is_of_a_service(address: Object) -> bool:
    """Whether what it is used for is a Service."""
    parent = parent_of(address)
    return not parent.get("group") and parent.get("resource") == "services"


def belongs_to(address: Object, namespace: str, name: str) -> bool:
    """Whether it is used for the Service of that name."""
    parent = parent_of(address)
    return is_of_a_service(address) and (parent.get("namespace"), parent.get("name")) == (namespace, name)


def cluster_addresses(service: Object) -> list[str]:
    """The addresses a service holds, as it says them."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return []
    found = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [address for address in found if address and address != HEADLESS]


def ranges_of(service_cidr: Object) -> dict[str, bool]:
    """The ranges of a ServiceCIDR, and whether each is ready.

    One without a condition is: its controller may not run.
    """
    ready = find_condition((service_cidr.get("status") or {}).get("conditions") or [], "Ready")
    is_ready = not is_deleting(service_cidr) and (ready is None or ready.get("status") == "True")
    return {str(cidr): is_ready for cidr in (service_cidr.get("spec") or {}).get("cidrs") or ()}


def all_ranges(ranges: Mapping[str, Mapping[str, bool]]) -> dict[str, bool]:
    """The ranges of all ServiceCIDRs (by name), in the order addresses are taken from them.

    Upstream takes any; here the default's come first, then those of the others by name, so that a further
    range is not used before it is needed. One of several ServiceCIDRs is ready if it is in one of them.
    """
    found: dict[str, bool] = {}
    for name in sorted(ranges, key=lambda name: (name != DEFAULT_CIDR, name)):
        for cidr, is_ready in ranges[name].items():
            found[cidr] = found.get(cidr, False) or is_ready
    return found
