"""Who simulated nodes are, and the least they may do: objects to be created where they are wanted."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.client.api import Client
from wherry.hollow.stages import Stage
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of

USER = "system:hollow-nodes"
_RBAC = "rbac.authorization.k8s.io"
_RULES = (
    ("", "nodes", ("get", "list", "watch", "create", "delete", "patch")),
    ("", "nodes/status", ("patch",)),
    ("", "pods", ("get", "list", "watch", "delete", "patch")),
    ("", "pods/status", ("patch",)),
    ("", "events", ("create", "patch")),
    ("coordination.k8s.io", "leases", ("get", "list", "create", "update")),
)
_WHOLE = ("get", "list", "watch", "create", "delete", "patch")


def rights(stages: Iterable[Stage] = ()) -> list[Object]:
    """The ClusterRole and its binding to `USER`, which may play `stages`.

    An object whose kind only the rendered template tells has to be allowed by somebody else.
    """
    wanted: dict[tuple[str, str], tuple[str, ...]] = {}
    for stage in stages:
        group, plural = stage.resource.group, stage.resource.plural
        wanted[group, plural] = _WHOLE
        wanted[group, f"{plural}/status"] = ("patch",)
        for resource, subresource in stage.writes:
            name = f"{resource.plural}/{subresource}" if subresource else resource.plural
            wanted.setdefault((resource.group, name), ("patch",) if subresource else ("create", "patch"))
    rules_of_stages = [(*place, verbs) for place, verbs in sorted(wanted.items())]
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for group, resource, verbs in (*_RULES, *rules_of_stages)
    ]
    version = f"{_RBAC}/v1"
    return [
        {"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": USER}, "rules": rules},
        {
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": USER},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": USER},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": USER}],
        },
    ]


async def ensure_rights(client: Client, stages: Iterable[Stage] = ()) -> None:
    """Have the role and its binding there as `rights` says. Raises ApiError."""
    for wanted in rights(stages):
        resource = CLUSTER_ROLES if wanted["kind"] == CLUSTER_ROLES.kind else CLUSTER_ROLE_BINDINGS
        try:
            await client.create(resource, wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            found = await client.get(resource, name_of(wanted))
            if any(found.get(part) != wanted[part] for part in wanted if part != "metadata"):
                await client.update(resource, {**wanted, "metadata": found["metadata"]})
