"""The downward API: what a pod may ask about itself, by field path or by resource.

Pure, used for environment variables and for files of downwardAPI volumes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from wherry.kubelet.pod import all_containers, spec_of
from wherry.objects.meta import annotations_of, labels_of, name_of, namespace_of, uid_of
from wherry.objects.quantity import parse_quantity

_SUBSCRIPT = re.compile(r"metadata\.(annotations|labels)\['([^']*)'\]")


class UnknownField(Exception):
    """The reference cannot be resolved; the message is upstream's."""


def read_field(pod: Mapping[str, Any], path: str, host_ips: list[str], pod_ips: list[str]) -> str:
    """The text of a `fieldRef`. Raises UnknownField for a path the downward API does not offer."""
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        source = labels_of(pod) if subscript[1] == "labels" else annotations_of(pod)
        return source.get(subscript[2], "")
    spec = spec_of(pod)
    values: dict[str, str] = {
        "metadata.name": name_of(pod),
        "metadata.namespace": namespace_of(pod),
        "metadata.uid": uid_of(pod),
        "spec.nodeName": spec.get("nodeName") or "",
        "spec.serviceAccountName": spec.get("serviceAccountName") or "",
        "status.hostIP": host_ips[0] if host_ips else "",
        "status.hostIPs": ",".join(host_ips),
        "status.podIP": pod_ips[0] if pod_ips else "",
        "status.podIPs": ",".join(pod_ips),
    }
    if path in values:
        return values[path]
    if path == "metadata.labels":
        return format_map(labels_of(pod))
    if path == "metadata.annotations":
        return format_map(annotations_of(pod))
    raise UnknownField(f"unsupported fieldPath: {path}")


def format_map(pairs: Mapping[str, str]) -> str:
    """Labels or annotations as lines of `key="value"`, sorted, the values escaped as Go does."""
    return "\n".join(f"{key}={_quote(pairs[key])}" for key in sorted(pairs))


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{escaped}"'


def read_resource(
    pod: Mapping[str, Any],
    reference: Mapping[str, Any],
    container_name: str,
    allocatable: Mapping[str, str],
) -> str:
    """The text of a `resourceFieldRef`: a whole number of divisors, rounded up.

    A limit the container does not set is the node's allocatable. Raises UnknownField.
    """
    name = reference.get("containerName") or container_name
    container = next((c for c in all_containers(pod) if c["name"] == name), None)
    if container is None:
        raise UnknownField(f"container {name} not found")
    kind, _, resource = str(reference.get("resource") or "").partition(".")
    if kind not in ("limits", "requests") or not resource:
        raise UnknownField(f"unsupported container resource : {reference.get('resource')}")
    resources = container.get("resources") or {}
    quantity = (resources.get(kind) or {}).get(resource)
    if quantity is None and kind == "requests":
        quantity = (resources.get("limits") or {}).get(resource, "0")
    if quantity is None:
        quantity = allocatable.get(resource, "0")
    divisor = parse_quantity(reference.get("divisor") or "1") or parse_quantity("1")
    return str(math.ceil(parse_quantity(quantity) / divisor))
