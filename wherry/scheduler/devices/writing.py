"""Writing into claims what was decided: allocation, reservation, and the claims of extended resources.

Source: pkg/scheduler/framework/plugins/dynamicresources, bindClaim and extendeddynamicresources.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.pod_claims import (
    FINALIZER,
    is_allocated,
    is_reserved_for,
    reservation,
    users_of,
)
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.client.api import Client
from wherry.client.transport import STRATEGIC_PATCH
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    format_time,
    is_deleting,
    key_of,
    metadata,
    name_of,
    namespace_of,
    split_key,
    uid_of,
)
from wherry.scheduler.devices.inventory import Inventory, Pending
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.world import World

TRIES = 5


async def bind_claim(pod: PodFacts, key: str, world: World, client: Client) -> None:
    """Write the allocation that was decided, if any, and the reservation. Raises SchedulingError."""
    inventory = world.devices
    pending, claim = inventory.pending.get(key), inventory.claims.get(key)
    given, uid = None, uid_of(claim or {})
    if pending is not None and pending.pod_uid == pod.uid:
        given, uid = _dated(pending.allocation, world), pending.claim_uid
    with inventory.departures.writing():
        inventory.set_written(key, await _write(pod, key, uid, claim, given, client))
    inventory.release((key,), pod.uid)


def _dated(allocation: Mapping[str, Any], world: World) -> Mapping[str, Any]:
    """An allocation with the time from which on its devices may be waited for."""
    return {**allocation, "allocationTimestamp": format_time(world.clock.now())}


async def bind_extended(pod: PodFacts, key: str, pending: Pending, world: World, client: Client) -> None:
    """Make the claim of a pod's extended resources, write its allocation, and tell the pod.

    Raises SchedulingError, ApiError.
    """
    inventory = world.devices
    await delete_extended(pod, inventory, client)  # one of a try that was cut off
    meta = {name: value for name, value in pending.claim["metadata"].items() if name != "name"}
    with inventory.departures.writing():
        try:
            made = await client.create(RESOURCE_CLAIMS, {**pending.claim, "metadata": meta})
        except ApiError as error:
            raise failed(f"create claim for extended resources {key}: {error.message}") from error
        inventory.set_written(key_of(made), made)
        given = _dated(pending.allocation, world)
        updated = await _write(pod, key_of(made), uid_of(made), made, given, client)
        inventory.set_written(key_of(made), updated)
    inventory.release((key,), pod.uid)
    status = {"resourceClaimName": name_of(made), "requestMappings": list(pending.mappings)}
    await client.patch(
        PODS,
        name_of(pod.pod),
        namespace_of(pod.pod),
        {"metadata": {"uid": pod.uid}, "status": {"extendedResourceClaimStatus": status}},
        content_type=STRATEGIC_PATCH,
        subresource="status",
    )


async def delete_extended(pod: PodFacts, inventory: Inventory, client: Client) -> bool:
    """Delete the claim of a pod's extended resources; whether there was one. Raises ApiError."""
    key = inventory.extended.get(pod.uid)
    claim = inventory.claims.get(key) if key is not None else None
    if claim is None:
        return False
    left = [name for name in metadata(claim).get("finalizers") or () if name != FINALIZER]
    patch = {"metadata": {"uid": uid_of(claim), "finalizers": left or None}}
    try:
        await client.patch(RESOURCE_CLAIMS, name_of(claim), namespace_of(claim), patch)
        await client.delete(RESOURCE_CLAIMS, name_of(claim), namespace_of(claim), uid=uid_of(claim))
    except ApiError as error:
        if error.code != 404:
            raise
    return True


async def unreserve_claim(pod: PodFacts, claim: Object, client: Client) -> None:
    """Take a pod from the users of a claim. Raises ApiError, but not if the claim is gone."""
    patch = {
        "metadata": {"uid": uid_of(claim)},
        "status": {"reservedFor": [{"$patch": "delete", "uid": pod.uid}]},
    }
    try:
        await client.patch(
            RESOURCE_CLAIMS,
            name_of(claim),
            namespace_of(claim),
            patch,
            content_type=STRATEGIC_PATCH,
            subresource="status",
        )
    except ApiError as error:
        if error.code != 404:
            raise


async def _write(
    pod: PodFacts,
    key: str,
    uid: str,
    claim: Object | None,
    given: Mapping[str, Any] | None,
    client: Client,
) -> Object:
    """Write into the claim as it is now, if it is still the one of this uid ("": any). Raises
    SchedulingError.
    """
    what = "add allocation and reservation to" if given is not None else "add reservation to"
    namespace, name = split_key(key)
    try:
        for _ in range(TRIES):
            if claim is None:
                claim = await client.get(RESOURCE_CLAIMS, name, namespace)
            if uid and uid_of(claim) != uid:
                raise failed(f"claim {key} got deleted in the meantime")  # this is another of its name
            try:
                return await _write_once(pod, key, claim, given, client)
            except ApiError as error:
                if error.code != 409 or error.reason != "Conflict":
                    raise
                claim = None
    except ApiError as error:
        raise failed(f"{what} claim {key}: {error.message}") from error
    raise failed(f"{what} claim {key}: it changes all the time")


async def _write_once(
    pod: PodFacts, key: str, claim: Object, given: Mapping[str, Any] | None, client: Client
) -> Object:
    if is_deleting(claim):
        raise failed(f"claim {key} got deleted in the meantime")
    status = {**(claim.get("status") or {})}
    if given is not None:
        if is_allocated(claim):
            raise failed(f"claim {key} got allocated elsewhere in the meantime")
        finalizers = list(metadata(claim).get("finalizers") or ())
        if FINALIZER not in finalizers:
            meta = {**claim["metadata"], "finalizers": [*finalizers, FINALIZER]}
            try:
                claim = await client.update(RESOURCE_CLAIMS, {**claim, "metadata": meta})
            except ApiError as error:
                if error.reason == "Conflict":
                    raise
                raise failed(f"add finalizer to claim {key}: {error.message}") from error
        status["allocation"] = given
    if not is_reserved_for(claim, pod.uid):
        status["reservedFor"] = [*users_of(claim), reservation(pod.pod)]
    return await client.update_status(RESOURCE_CLAIMS, {**claim, "status": status})


def failed(text: str) -> SchedulingError:
    """What ends a binding, in upstream's words."""
    return SchedulingError(f'running PreBind plugin "DynamicResources": {text}')
