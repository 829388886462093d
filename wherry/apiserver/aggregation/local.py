"""The APIServices of what this server serves itself: made and removed as group versions come and go."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.priorities import group_priority, version_priority_of
from wherry.api.resource import Resource
from wherry.apiserver.discovery import groups_of
from wherry.objects.meta import Object

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
UNLISTED = "apiregistration.k8s.io"
"""The APIServices' own group has none."""


def local_services(resources: Sequence[Resource]) -> list[Object]:
    """An APIService for every group version of `resources`."""
    custom = {(r.group, r.version) for r in resources if r.custom is not None}
    return [
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {
                "name": f"{version}.{group}",
                "labels": {MANAGED: ALWAYS if (group, version) in custom else ON_START},
            },
            "spec": {
                **({"group": group} if group else {}),
                "version": version,
                "groupPriorityMinimum": group_priority(group),
                "versionPriority": version_priority_of(group, version),
            },
        }
        for group, versions in groups_of(resources).items()
        if group != UNLISTED
        for version in versions
    ]
