"""Which nodes a DaemonSet's pods are for, and what a pod for a node looks like.

A pod is bound to its node by the scheduler; node affinity to the node's name lets it choose no other
(pkg/controller/daemon/util). What befalls nodes does not keep such pods away: they tolerate it by default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wherry.api.apps.daemon_sets import DAEMON_SETS, TEMPLATE_GENERATION
from wherry.controllers.history import POD_REVISION_LABEL
from wherry.controllers.pod_control import pod_from_template
from wherry.kit.integers import parse_integer
from wherry.objects.meta import Object, annotations_of, labels_of, name_of
from wherry.objects.node_selectors import node_matches_pod
from wherry.objects.taints import tolerates_any

POD_GENERATION_LABEL = "pod-template-generation"
NAME_FIELD = "metadata.name"
_CHOOSING = ("nodeName", "nodeSelector", "affinity", "tolerations")
"""All of a pod's spec that decides which nodes it may be on."""
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_BORNE = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)
_BORNE_ON_THE_HOSTS_NETWORK = ("network-unavailable", "NoSchedule")


def with_tolerations(pod_spec: Mapping[str, Any]) -> Object:
    """The pod spec with what every daemon tolerates (AddOrUpdateDaemonPodTolerations)."""
    borne = [*_BORNE, _BORNE_ON_THE_HOSTS_NETWORK] if pod_spec.get("hostNetwork") else [*_BORNE]
    tolerations = list(pod_spec.get("tolerations") or ())
    for name, effect in borne:
        wanted = {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
        same = [at for at, found in enumerate(tolerations) if _is_like(found, wanted)]
        for at in same:
            tolerations[at] = wanted
        if not same:
            tolerations.append(wanted)
    return {**pod_spec, "tolerations": tolerations}


def _is_like(found: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Whether they differ at most in how long they tolerate it."""
    return all(
        (found.get(part) or "") == wanted.get(part, "") for part in ("key", "operator", "effect", "value")
    )


class Placement:
    """The nodes of a DaemonSet as its template has it now."""

    def __init__(self, daemon_set: Object) -> None:
        self._spec = with_tolerations((daemon_set["spec"].get("template") or {}).get("spec") or {})
        self.choice = json.dumps([self._spec.get(part) for part in _CHOOSING], sort_keys=True)
        """Equal for two DaemonSets that choose nodes alike."""

    def verdict(self, node: Object) -> tuple[bool, bool]:
        """(whether a pod is to be on the node, whether one that is there may stay)."""
        named = self._spec.get("nodeName")
        if (named and named != name_of(node)) or not node_matches_pod(node, self._spec):
            return False, False
        keeping_off, driving_out = self._untolerated(node)
        return not keeping_off and not driving_out, not driving_out

    def _untolerated(self, node: Object) -> tuple[bool, bool]:
        """Whether a taint of the node that is not tolerated keeps pods off it, and drives them out."""
        taints = [
            (taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "")
            for taint in (node.get("spec") or {}).get("taints") or ()
        ]
        effects = {taint[2] for taint in taints if not tolerates_any(self._spec["tolerations"], taint)}
        return "NoSchedule" in effects, "NoExecute" in effects


def make_pod(daemon_set: Object, node: str, revision: str) -> Object:
    """The pod for the node of that name, made of the revision with that hash."""
    template = daemon_set["spec"].get("template") or {}
    pod = pod_from_template(daemon_set, DAEMON_SETS.api_version, DAEMON_SETS.kind, template)
    labels = {**(pod["metadata"].get("labels") or {})}
    if (generation := template_generation(daemon_set)) is not None:
        labels[POD_GENERATION_LABEL] = str(generation)
    pod["metadata"]["labels"] = {**labels, POD_REVISION_LABEL: revision}
    spec = with_tolerations(pod["spec"])
    affinity = spec.get("affinity") or {}
    term = {"matchFields": [{"key": NAME_FIELD, "operator": "In", "values": [node]}]}
    nodes = {**(affinity.get("nodeAffinity") or {}), _REQUIRED: {"nodeSelectorTerms": [term]}}
    return {**pod, "spec": {**spec, "affinity": {**affinity, "nodeAffinity": nodes}}}


def target_node(pod: Object) -> str:
    """The node a daemon's pod is on or is for; "" when it does not say."""
    spec = pod.get("spec") or {}
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    for term in (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            values: list[str] = field.get("values") or []
            if field.get("key") == NAME_FIELD and field.get("operator") == "In" and len(values) == 1:
                return str(values[0])
    return ""


def template_generation(daemon_set: Object) -> int | None:
    """How often the template was changed, as the API counts it; None when it does not say."""
    return parse_integer(annotations_of(daemon_set).get(TEMPLATE_GENERATION, ""))


def is_updated(pod: Object, revision: str, generation: int | None) -> bool:
    """Whether the pod is of the revision with that hash; without a hash, of that generation of the template.

    Upstream takes the generation for enough. But it begins anew with each DaemonSet, so pods a deleted one
    left behind would pass for new ones, and stay what they are.
    """
    labels = labels_of(pod)
    if POD_REVISION_LABEL in labels:
        return labels[POD_REVISION_LABEL] == revision
    return generation is not None and labels.get(POD_GENERATION_LABEL) == str(generation)
