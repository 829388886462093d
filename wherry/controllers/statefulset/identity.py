"""What makes a pod a StatefulSet's: its name with an ordinal, hostname and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.controllers.history import POD_REVISION_LABEL
from wherry.controllers.pod_control import pod_from_template
from wherry.controllers.statefulset.storage import with_claims
from wherry.controllers.workload import wanted_replicas
from wherry.kit.integers import parse_unsigned
from wherry.objects.meta import Object, labels_of, name_of

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
HIGHEST_ORDINAL = 2**32
"""Start and number have 31 bits each, so no pod we make has a higher one."""
_NAME = re.compile(r"(.*)-([0-9]+)")


def ordinals(stateful_set: Object) -> range:
    """The ordinals the set wants pods of."""
    start = int((stateful_set["spec"].get("ordinals") or {}).get("start") or 0)
    return range(start, start + wanted_replicas(stateful_set))


def pod_name(stateful_set: Object, ordinal: int) -> str:
    """The name of the pod of that ordinal."""
    return f"{name_of(stateful_set)}-{ordinal}"


def ordinal_of(pod: Object) -> int:
    """The number at the end of the pod's name; -1 without one."""
    found = _NAME.fullmatch(name_of(pod))
    ordinal = parse_unsigned(found[2]) if found is not None else None
    return ordinal if ordinal is not None and ordinal <= HIGHEST_ORDINAL else -1


def is_member(stateful_set: Object, pod: Object) -> bool:
    """Whether the pod has a name the set would give."""
    ordinal = ordinal_of(pod)
    return ordinal >= 0 and name_of(pod) == pod_name(stateful_set, ordinal)


def revision_of_pod(pod: Object) -> str:
    """The name of the revision the pod was made of, "" when it does not say."""
    return labels_of(pod).get(POD_REVISION_LABEL, "")


def has_identity(pod: Object) -> bool:
    """Whether a member carries the label services select it by."""
    return labels_of(pod).get(POD_NAME_LABEL) == name_of(pod)


def identity_labels(name: str, ordinal: int) -> dict[str, str]:
    """The labels that tell a pod from its siblings."""
    return {POD_NAME_LABEL: name, POD_INDEX_LABEL: str(ordinal)}


def make_pod(stateful_set: Object, template: Mapping[str, Any], ordinal: int, revision: str) -> Object:
    """The pod of that ordinal as `template` describes it, made of the revision of that name."""
    kind = STATEFUL_SETS
    pod = pod_from_template(stateful_set, kind.api_version, kind.kind, {**template})
    meta, name = pod["metadata"], pod_name(stateful_set, ordinal)
    meta["name"] = name
    labels = {**(meta.get("labels") or {}), **identity_labels(name, ordinal)}
    meta["labels"] = {**labels, POD_REVISION_LABEL: revision}
    spec = with_claims(stateful_set, pod["spec"], ordinal)
    spec["hostname"] = name
    if service := stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = service
    return {**pod, "spec": spec}


def mended(stateful_set: Object, pod: Object) -> Object:
    """A copy of a member with the identity and the volumes it ought to have."""
    meta, ordinal = pod["metadata"], ordinal_of(pod)
    labels = {**(meta.get("labels") or {}), **identity_labels(name_of(pod), ordinal)}
    spec = with_claims(stateful_set, pod.get("spec") or {}, ordinal)
    return {**pod, "metadata": {**meta, "labels": labels}, "spec": spec}
