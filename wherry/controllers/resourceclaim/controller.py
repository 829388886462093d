"""Makes ResourceClaims from templates for pods, and frees claims whose pods have ended (`ResourceClaims`).

A key is a pod's, or a claim's behind "claim:". A claim's users are held against the cache's pods, and before
one is struck off because it is not there, the API server is asked: the scheduler may have reserved the claim
for a pod the cache has not seen. Claims nobody uses are given back (their allocation goes), and one that was
made for a pod that has ended is deleted.

Source: pkg/controller/resourceclaim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.pod_claims import (
    PodClaim,
    can_be_reserved,
    claim_keys,
    extended_claim,
    is_allocated,
    is_done,
    is_reserved_for,
    owner_trouble,
    owning_pod,
    pod_claims,
    pod_users,
    reservation,
    users_of,
)
from wherry.api.dynamicresources.resource_claim_templates import RESOURCE_CLAIM_TEMPLATES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.client.cache import Cache
from wherry.client.events import WARNING
from wherry.client.transport import STRATEGIC_PATCH
from wherry.controllers.base import Controller, Environment, is_namespace_terminating
from wherry.controllers.resourceclaim.claims import claim_for, find_made, is_protected, unprotected
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, key_of, name_of, namespace_of, revision_of, uid_of

CLAIM = "claim:"
"""Sets the keys of claims apart; no namespace has a colon."""
BY_CLAIM = "resource-claim"
BY_TEMPLATE = "resource-claim-template"


def _templates_of(pod: Object) -> list[str]:
    """Keys of the templates a pod waits for."""
    where = namespace_of(pod)
    return [f"{where}/{one.template}" for one in pod_claims(pod) if one.is_own and one.claim is None]


def _concerned_by_pod(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The pod, and the claims of one that is gone or has ended."""
    pod = new or old or {}
    if not (pod.get("spec") or {}).get("resourceClaims") and not extended_claim(pod):
        return
    if new is None or is_done(new):
        own = cache.owned(RESOURCE_CLAIMS, uid_of(pod), namespace_of(pod))
        yield from {CLAIM + key for key in (*claim_keys(pod), *map(key_of, own))}
    if new is not None:
        yield key_of(new)


def _concerned_by_claim(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The claim, and the pods that use it."""
    key = key_of(new or old or {})
    if new is not None:
        yield CLAIM + key
    for pod in cache.by_index(PODS, BY_CLAIM, key):
        yield key_of(pod)


def _concerned_by_template(cache: Cache, _: Object | None, new: Object | None) -> Iterable[str]:
    """The pods that wait for it."""
    return () if new is None else [key_of(pod) for pod in cache.by_index(PODS, BY_TEMPLATE, key_of(new))]


class ResourceClaims(Controller):
    """See the module."""

    name = "resourceclaim-controller"
    account = "resource-claim-controller"
    component = "resource_claim"
    primary = PODS
    watches: ClassVar = {
        RESOURCE_CLAIMS: _concerned_by_claim,
        RESOURCE_CLAIM_TEMPLATES: _concerned_by_template,
    }

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(PODS, BY_CLAIM, claim_keys)
        environment.cache.add_index(PODS, BY_TEMPLATE, _templates_of)
        super().__init__(environment)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """See `_concerned_by_pod`."""
        return _concerned_by_pod(cache, old, new)

    async def sync(self, key: str) -> float | None:
        """Bring a pod's claims, or a claim's users, up to date."""
        if key.startswith(CLAIM):
            claim = self.cache.get(RESOURCE_CLAIMS, key.removeprefix(CLAIM))
            if claim is not None:
                await self._sync_claim(key, claim)
            return None
        pod = self.cache.get(PODS, key)
        if pod is not None and not is_deleting(pod) and not is_done(pod):
            await self._make_claims(key, pod)
            if (pod.get("spec") or {}).get("nodeName"):
                await self._reserve(key, pod)
        return None

    # What pods need.

    async def _make_claims(self, key: str, pod: Object) -> None:
        made: list[Object] = []
        for wanted in pod_claims(pod):
            if not wanted.is_own or self._has(pod, wanted):
                continue
            try:
                claim = await self._make(key, pod, wanted)
            except ApiError as error:
                if is_namespace_terminating(error):
                    return
                text = f"PodResourceClaim {wanted.name}: {error.message}"
                self.events.event(pod, WARNING, "FailedResourceClaimCreation", text)
                raise
            made.append({"name": wanted.name, "resourceClaimName": name_of(claim)})
        if made:
            patch = {"status": {"resourceClaimStatuses": made}}
            await self.patch(key, PODS, pod, patch, subresource="status", content_type=STRATEGIC_PATCH)

    def _has(self, pod: Object, wanted: PodClaim) -> bool:
        """Whether the pod has the claim its status names, or needs none."""
        if wanted.claim is None:
            return False
        if not wanted.claim:
            return True
        claim = self.cache.get(RESOURCE_CLAIMS, f"{namespace_of(pod)}/{wanted.claim}")
        return claim is not None and not owner_trouble(pod, claim)

    async def _make(self, key: str, pod: Object, wanted: PodClaim) -> Object:
        """The claim for an entry of the pod's spec, found again if the pod's status was not written."""
        found = find_made(self.cache.owned(RESOURCE_CLAIMS, uid_of(pod), namespace_of(pod)), wanted)
        if found is not None:
            return found
        template = self.cache.get(RESOURCE_CLAIM_TEMPLATES, f"{namespace_of(pod)}/{wanted.template}")
        if template is None:
            named = f'resource claim template "{wanted.template}"'
            text = f'{named}: resourceclaimtemplate.resource.k8s.io "{wanted.template}" not found'
            raise ApiError(404, "NotFound", text)
        try:
            return await self.create(key, RESOURCE_CLAIMS, claim_for(pod, wanted, template))
        except ApiError as error:
            raise ApiError(
                error.code, error.reason, f"create ResourceClaim : {error.message}", error.details
            ) from error

    async def _reserve(self, key: str, pod: Object) -> None:
        """Reserve claims for a pod that was given its node by others than a scheduler who knows of claims."""
        for wanted in pod_claims(pod):
            claim = self.cache.get(RESOURCE_CLAIMS, f"{namespace_of(pod)}/{wanted.claim}")
            if claim is None or (wanted.is_own and owner_trouble(pod, claim)):
                continue
            if is_allocated(claim) and not is_reserved_for(claim, uid_of(pod)) and can_be_reserved(claim):
                await self._write_users(key, claim, [*users_of(claim), reservation(pod)])

    # What becomes of claims.

    async def _sync_claim(self, key: str, claim: Object) -> None:
        users = users_of(claim)
        gone = {uid_of_user(user) for user in pod_users(claim) if not await self._still_uses(claim, user)}
        left = [user for user in users if uid_of_user(user) not in gone]
        if len(left) < len(users):
            claim = await self._write_users(key, claim, left)
            if is_protected(claim) and not is_allocated(claim):
                claim = await self._write(key, claim, unprotected(claim))
        elif is_protected(claim) and is_deleting(claim) and not left:
            if is_allocated(claim):
                claim = await self._write_users(key, claim, [])
            await self._write(key, claim, unprotected(claim))
        if not left and not is_deleting(claim):
            await self._delete_after_its_pod(key, claim)

    async def _still_uses(self, claim: Object, user: Object) -> bool:
        """Whether a pod the claim is reserved for is there and may still run."""
        where, name = namespace_of(claim), user.get("name") or ""
        pod = self.cache.get(PODS, f"{where}/{name}")
        if pod is None:
            try:
                pod = await self.client.get(PODS, name, where)
            except ApiError as error:
                if error.code == 404:
                    return False
                raise
        return uid_of(pod) == uid_of_user(user) and not is_done(pod)

    async def _delete_after_its_pod(self, key: str, claim: Object) -> None:
        """Delete a claim that was made for a pod which has ended, or was replaced."""
        name, uid = owning_pod(claim)
        pod = self.cache.get(PODS, f"{namespace_of(claim)}/{name}") if name else None
        # A pod that is not known may only not be known yet: the garbage collector sees to that.
        if pod is not None and (uid_of(pod) != uid or is_done(pod)):
            await self.delete(key, RESOURCE_CLAIMS, claim)

    async def _write_users(self, key: str, claim: Object, users: list[Object]) -> Object:
        """Replace the claim's users; without any it is given back. Raises ApiError (409 if it changed)."""
        status: Object = {"reservedFor": users or None}
        if not users and is_protected(claim):
            status |= {"allocation": None}
        return await self._write(key, claim, {"status": status}, subresource="status")

    async def _write(self, key: str, claim: Object, patch: Object, *, subresource: str = "") -> Object:
        meta = {**(patch.get("metadata") or {}), "resourceVersion": revision_of(claim)}
        return await self.patch(
            key, RESOURCE_CLAIMS, claim, {**patch, "metadata": meta}, subresource=subresource
        )


def uid_of_user(user: Object) -> str:
    """The uid of an entry of `reservedFor`."""
    found: str = user.get("uid") or ""
    return found
