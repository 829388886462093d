"""PodDisruptionBudget: how many pods may be evicted at once."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

POD_DISRUPTION_BUDGETS = Resource(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    namespaced=True,
    short_names=("pdb",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.policy.v1.PodDisruptionBudget",
)
