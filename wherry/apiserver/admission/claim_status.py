"""ResourceClaimStatus: each part of a claim's status is written by those it belongs to.

Who may write `resourceclaims/status` needs `resourceclaims/binding` as well to give a claim devices or users
(`status.allocation`, `status.reservedFor`), and `resourceclaims/driver` of that driver's name to tell how its
devices are (`status.devices`): with the verb `associated-node:update` if the writer is a service account with
a token of the very node the claim's devices are on, with `arbitrary-node:update` from anywhere. Upstream asks
in its storage layer: pkg/registry/resource/utils.go, AuthorizedForBinding and AuthorizedForDeviceStatus
(DRAResourceClaimGranularStatusAuthorization, KEP-4817).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.dynamicresources.allocations import device_identity, kept_devices
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import UPDATE, Attributes, BasePlugin
from wherry.apiserver.authentication.service_accounts import NODE_NAME
from wherry.apiserver.authorization.base import refusal
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.objects.errors import FieldError, forbidden_value, invalid

BINDING, DRIVER = "binding", "driver"
ASSOCIATED, ARBITRARY = "associated-node:", "arbitrary-node:"
Fields = Mapping[str, Any]


class ResourceClaimStatus(BasePlugin):
    """See the module."""

    name = "ResourceClaimStatus"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        is_claim = (resource.group, resource.plural) == ("resource.k8s.io", "resourceclaims")
        return is_claim and subresource == "status" and operation == UPDATE

    async def validate(self, attributes: Attributes) -> None:
        old, new = ((obj or {}).get("status") or {} for obj in (attributes.old, attributes.obj))
        verb = attributes.call.info.verb if attributes.call is not None else UPDATE.lower()
        if errors := [
            *_binding_errors(attributes, verb, new, old),
            *_driver_errors(attributes, verb, new, old),
        ]:
            raise invalid(attributes.resource.kind, attributes.resource.group, attributes.name, errors)


def _binding_errors(attributes: Attributes, verb: str, new: Fields, old: Fields) -> list[FieldError]:
    is_same = new.get("allocation") == old.get("allocation") and (new.get("reservedFor") or []) == (
        old.get("reservedFor") or []
    )
    # Whoever gives out devices does so everywhere: the right is asked for without namespace and name.
    if is_same or not (why := _refused(attributes, (verb,), BINDING)):
        return []
    text = (
        "changing status.allocation or status.reservedFor requires "
        f'resource="resourceclaims/binding", verb="{verb}" permission: {why}'
    )
    return [forbidden_value("status", text)]


def _driver_errors(attributes: Attributes, verb: str, new: Fields, old: Fields) -> list[FieldError]:
    drivers = changed_drivers(new, old)
    if not drivers:
        return []
    node = allocated_node(new.get("allocation") or {})
    prefixes = (ASSOCIATED, ARBITRARY) if _is_on(attributes.user, node) else (ARBITRARY,)
    verbs = tuple(prefix + verb for prefix in prefixes)
    errors = []
    for driver in drivers:
        if why := _refused(attributes, verbs, DRIVER, attributes.namespace, driver):
            text = (
                'changing status.devices requires resource="resourceclaims/driver", '
                f'verb="[{" ".join(verbs)}]" permission: {why}'
            )
            errors.append(forbidden_value("status.devices", text))
    return errors


def _refused(
    attributes: Attributes, verbs: Sequence[str], subresource: str, namespace: str = "", name: str = ""
) -> str:
    """Why the writer may do none of `verbs`, in the words about the first; "" if they may do one."""
    first = ""
    for verb in verbs:
        resource = attributes.resource
        info = RequestInfo(
            verb, "", True, resource.group, resource.version, namespace, resource.plural, name, subresource
        )
        decision = attributes.core.authorizer.decide(attributes.user, info)
        if decision.allowed:
            return ""
        first = first or refusal(attributes.user, info, decision.reason).message
    return first


def changed_drivers(new: Fields, old: Fields) -> list[str]:
    """Drivers of which the status of a device was added, changed or removed, sorted.

    What goes with a device that is given back is taken away by the server, whoever gave it back.
    """
    before = {device_identity(device): device for device in kept_devices(old.get("devices"), new, old)}
    after = {device_identity(device): device for device in new.get("devices") or ()}
    return sorted(
        {
            (after.get(key) or before[key]).get("driver") or ""
            for key in {*before, *after}
            if before.get(key) != after.get(key)
        }
    )


def allocated_node(allocation: Fields) -> str:
    """The one node all devices of an allocation are on, "" if they are not on a single one."""
    terms = (allocation.get("nodeSelector") or {}).get("nodeSelectorTerms") or []
    if len(terms) != 1 or terms[0].get("matchExpressions"):
        return ""
    fields = terms[0].get("matchFields") or []
    if len(fields) != 1 or (fields[0].get("key"), fields[0].get("operator")) != ("metadata.name", "In"):
        return ""
    values = fields[0].get("values") or []
    return str(values[0]) if len(values) == 1 else ""


def _is_on(user: User, node: str) -> bool:
    """Whether the user is a service account by a token for a pod, or for itself, on that node."""
    return bool(node) and user.service_account is not None and user.extra.get(NODE_NAME) == (node,)
