"""The APIServices of what this server serves itself: made and removed as group versions come and go."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.resource import Resource
from wherry.apiserver.discovery import groups_of
from wherry.objects.meta import Object

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
CORE_PRIORITY, BUILT_IN_PRIORITY, CUSTOM_PRIORITY = 18000, 17000, 1000


def local_services(resources: Sequence[Resource]) -> list[Object]:
    """An APIService for every group version of `resources`."""
    custom = {(r.group, r.version) for r in resources if r.custom is not None}
    made: list[Object] = []
    for place, (group, versions) in enumerate(groups_of(resources).items()):
        for rank, version in enumerate(versions):
            is_custom = (group, version) in custom
            priority = CUSTOM_PRIORITY if is_custom else BUILT_IN_PRIORITY - 10 * place
            made.append(
                {
                    "apiVersion": "apiregistration.k8s.io/v1",
                    "kind": "APIService",
                    "metadata": {
                        "name": f"{version}.{group}",
                        "labels": {MANAGED: ALWAYS if is_custom else ON_START},
                    },
                    "spec": {
                        **({"group": group} if group else {}),
                        "version": version,
                        "groupPriorityMinimum": priority if group else CORE_PRIORITY,
                        "versionPriority": 100 - rank if is_custom else max(15 - rank, 1),
                    },
                }
            )
    return made
