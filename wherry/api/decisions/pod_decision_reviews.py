"""PodDecisionReview: where would a pod go that is not there? Answered, never stored."""

from __future__ import annotations

from wherry.api.decisions.pod_decisions import GROUP, VERSION
from wherry.api.resource import Resource

POD_DECISION_REVIEWS = Resource(
    group=GROUP,
    version=VERSION,
    kind="PodDecisionReview",
    plural="poddecisionreviews",
    namespaced=True,
    verbs=("create",),
    schema="dev.wherry.v1alpha1.PodDecisionReview",
    is_stored=False,
    has_protobuf=False,
)
