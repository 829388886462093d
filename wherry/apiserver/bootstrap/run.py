"""Bring the cluster's first objects in place: what is missing is created, the rest is left alone.

Runs through the in-process transport, so that the objects are defaulted, validated and allocated
like anybody's. Only the API's own Service and endpoints (`kubernetes_service`), and roles and bindings that
lack something (`reconcile`), are put right.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.api.resource import Resource
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.apiserver.bootstrap import objects
from wherry.apiserver.bootstrap.kubernetes_service import KubernetesService
from wherry.apiserver.bootstrap.service_cidr import DefaultServiceCidr
from wherry.apiserver.bootstrap.token_tracking import TokenTracking
from wherry.apiserver.core import Core
from wherry.apiserver.ensuring import create_if_missing, ensure
from wherry.client.api import Client
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of

log = logging.getLogger(__name__)

Plan = Callable[[Object, Object], Object | None]


async def bootstrap(
    core: Core,
    client: Client,
    kubernetes: KubernetesService,
    service_cidr: DefaultServiceCidr,
    tracking: TokenTracking,
) -> None:
    """Bring everything in place, `kubernetes`, `service_cidr` and `tracking` among it."""
    await ensure(core, client, NAMESPACES, objects.namespaces())
    await service_cidr.bring_about()  # the Service's address is of it
    await asyncio.gather(
        ensure(core, client, PRIORITY_CLASSES, objects.priority_classes()),
        _roles(core, client),
        kubernetes.bring_about(),
        tracking.bring_about(),
    )


async def _roles(core: Core, client: Client) -> None:
    from wherry.apiserver.bootstrap import reconcile, roles

    policy: tuple[tuple[Resource, list[Object], Plan], ...] = (
        (CLUSTER_ROLES, roles.cluster_roles(), reconcile.plan_role),
        (CLUSTER_ROLE_BINDINGS, roles.cluster_role_bindings(), reconcile.plan_binding),
        (ROLES, roles.roles(), reconcile.plan_role),
        (ROLE_BINDINGS, roles.role_bindings(), reconcile.plan_binding),
    )
    await asyncio.gather(*(_bring_in(core, client, *part) for part in policy))


async def _bring_in(
    core: Core, client: Client, resource: Resource, wanted: Sequence[Object], plan: Plan
) -> None:
    """Create what is missing of `wanted`, and complete what is there."""
    present = await _present(core, resource, wanted)
    await asyncio.gather(
        *(
            create_if_missing(client, resource, obj)
            if old is None
            else _reconcile(client, resource, old, obj, plan)
            for obj, old in zip(wanted, present, strict=True)
        )
    )


async def _present(core: Core, resource: Resource, wanted: Sequence[Object]) -> list[Object | None]:
    """What there is of `wanted`, None for those that are missing."""
    served = core.registry.of(resource)
    await served.source.open()
    found = [served.get(namespace_of(obj), name_of(obj)) for obj in wanted]
    return [served.decode(cached) if cached is not None else None for cached in found]


async def _reconcile(client: Client, resource: Resource, present: Object, wanted: Object, plan: Plan) -> None:
    """Write what `plan` makes of the present object, if anything."""
    from wherry.apiserver.bootstrap.reconcile import needs_replacing

    new = plan(present, wanted)
    if new is None:
        return
    try:
        if needs_replacing(present, wanted):
            meta = new["metadata"]
            kept = {"labels": meta["labels"], "annotations": meta["annotations"]}
            await client.delete(resource, name_of(new), namespace_of(new))
            await client.create(resource, {**new, "metadata": {**wanted["metadata"], **kept}})
        else:
            await client.update(resource, new)
    except ApiError as error:
        # What somebody made of one role must not keep the server from starting; the next start tries again.
        log.warning(
            "%s %s could not be brought up to date: %s", resource.plural, name_of(wanted), error.message
        )
        return
    log.info("brought %s %s up to date", resource.plural, name_of(wanted))
