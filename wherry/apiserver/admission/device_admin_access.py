"""DeviceAdminAccess: devices others use are seen into only from namespaces that are marked for it.

A request with `adminAccess` gets devices whether they are in use or not. Upstream checks in its storage
layer that the namespace has the label, when a claim is made and when it is given devices (AuthorizedForAdmin,
AuthorizedForAdminStatus).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.objects.errors import forbidden_value, invalid
from wherry.objects.meta import metadata

LABEL = "resource.kubernetes.io/admin-access"
_CLAIMS = {"resourceclaims": ("spec",), "resourceclaimtemplates": ("spec", "spec")}
_WHY = f"admin access to devices requires the `{LABEL}: true` label on the containing namespace"


class DeviceAdminAccess(BasePlugin):
    """See the module."""

    name = "DeviceAdminAccess"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        is_claim = resource.group == "resource.k8s.io" and resource.plural in _CLAIMS
        if subresource == "status":
            return is_claim and operation == UPDATE
        return is_claim and not subresource and operation == CREATE

    async def validate(self, attributes: Attributes) -> None:
        if attributes.subresource:
            # An allocation never changes, so that what was granted once is not asked about again.
            is_new = not list(_granted_paths(attributes.old or {}))
            paths = list(_granted_paths(attributes.obj or {}))[:1] if is_new else []
        else:
            paths = list(_admin_paths(attributes.obj or {}, _CLAIMS[attributes.resource.plural]))
        if not paths or _is_marked(attributes):
            return
        errors = [forbidden_value(path, _WHY) for path in paths]
        raise invalid(attributes.resource.kind, attributes.resource.group, attributes.name, errors)


def _is_marked(attributes: Attributes) -> bool:
    """Whether the namespace has the label."""
    cached = attributes.core.registry.of(NAMESPACES).get("", attributes.namespace)
    labels = (metadata(cached.decode()).get("labels") if cached is not None else None) or {}
    return bool(labels.get(LABEL) == "true")


def _granted_paths(claim: Mapping[str, Any]) -> Iterator[str]:
    """Where admin access is given."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    for index, result in enumerate((allocation.get("devices") or {}).get("results") or ()):
        if result.get("adminAccess"):
            yield f"status.allocation.devices.results[{index}].adminAccess"


def _admin_paths(obj: Mapping[str, Any], steps: tuple[str, ...]) -> Iterator[str]:
    """Where admin access is asked for."""
    spec: Mapping[str, Any] = obj
    for step in steps:
        spec = spec.get(step) or {}
    for index, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        path = f"{'.'.join(steps)}.devices.requests[{index}]"
        if (request.get("exactly") or {}).get("adminAccess"):
            yield f"{path}.exactly.adminAccess"
        elif request.get("adminAccess"):  # v1beta1 has no `exactly`
            yield f"{path}.adminAccess"
