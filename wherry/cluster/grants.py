"""The rights of controllers of installed packages: an account, a ClusterRole and its binding each (`grant`).

They are what the package declares, brought up to date at each start; what somebody added is taken out.
"""

from __future__ import annotations

from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.resource import Resource
from wherry.apiserver.bootstrap.policy import EVENTS, account, cluster_binding, cluster_role, lines
from wherry.client.api import Client
from wherry.controllers.base import Controller
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of

INSTALLER = "system:wherry:installer"
PREFIX = "wherry:controller:"
NAMESPACE = "kube-system"


async def grant(client: Client, kind: type[Controller]) -> None:
    """Make what an installed controller acts as, and what lets it. Raises ApiError, ValueError."""
    name = f"{PREFIX}{kind.name}"
    role = cluster_role(name, lines(*kind.rights, EVENTS))
    binding = cluster_binding(name, account(kind.account))
    known = {"apiVersion": "v1", "kind": "ServiceAccount"}
    own = {**known, "metadata": {"name": kind.account, "namespace": NAMESPACE}}
    await _ensure(client, SERVICE_ACCOUNTS, own)
    await _ensure(client, CLUSTER_ROLES, role, "rules")
    await _ensure(client, CLUSTER_ROLE_BINDINGS, binding, "subjects")


async def _ensure(client: Client, resource: Resource, wanted: Object, field: str = "") -> None:
    """Make an object, or give it the wanted value of a field."""
    namespace = namespace_of(wanted)
    try:
        await client.create(resource, wanted, namespace)
    except ApiError as error:
        if error.code != 409:
            raise
        found = await client.get(resource, name_of(wanted), namespace)
        if field and found.get(field) != wanted[field]:
            await client.update(resource, {**found, field: wanted[field]})
