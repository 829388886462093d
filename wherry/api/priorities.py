"""The order of API groups and of the versions in each, as upstream's APIServices give it.

A higher number comes first. Clients that are asked for a resource by its bare name take the first
group that has it. `extensions` stands last here, because its kinds have long had other groups.
"""

from __future__ import annotations

CUSTOM_GROUP, CUSTOM_VERSION = 1000, 100
"""Groups and versions defined at run time."""

GROUPS = {
    "": 18000,
    "apiregistration.k8s.io": 17900,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "storagemigration.k8s.io": 15800,
    "extensions": 15000,
}

_RELEASED, _BETA = 15, 9
_VERSIONS = {
    ("", "v1"): 1,
    ("admissionregistration.k8s.io", "v1beta1"): 12,
    ("apps", "v1beta1"): 1,
    ("autoscaling", "v2"): 30,
    ("coordination.k8s.io", "v1beta1"): 13,
    ("extensions", "v1beta1"): 1,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("rbac.authorization.k8s.io", "v1beta1"): 12,
    ("resource.k8s.io", "v1"): 20,
    ("resource.k8s.io", "v1beta2"): 15,
    ("scheduling.k8s.io", "v1beta1"): 12,
}


def group_priority(group: str) -> int:
    """The place of a group among all, as an APIService's `groupPriorityMinimum`."""
    return GROUPS.get(group, CUSTOM_GROUP)


def version_priority_of(group: str, version: str) -> int:
    """The place of a version in its group, as an APIService's `versionPriority`."""
    if group not in GROUPS:
        return CUSTOM_VERSION
    return _VERSIONS.get((group, version), _BETA if "beta" in version else _RELEASED)
