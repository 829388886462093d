"""PodDecision: why the scheduler put a pod where it is, or nowhere. Made when it is read."""

from __future__ import annotations

from wherry.api.resource import Resource

GROUP, VERSION = "wherry.dev", "v1alpha1"

POD_DECISIONS = Resource(
    group=GROUP,
    version=VERSION,
    kind="PodDecision",
    plural="poddecisions",
    namespaced=True,
    verbs=("get",),
    schema="dev.wherry.v1alpha1.PodDecision",
    is_stored=False,
    has_protobuf=False,
)
