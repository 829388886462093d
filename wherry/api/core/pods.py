"""Pod: containers that run together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from wherry.api.core.pod_columns import POD_COLUMNS, pod_cells
from wherry.api.core.pod_spec import default_pod_only, default_pod_spec, validate_pod_spec
from wherry.api.core.pod_spec.affinity import merge_label_keys
from wherry.api.core.pod_spec.annotations import (
    MIRROR,
    validate_pod_annotation_changes,
    validate_pod_annotations,
)
from wherry.api.core.pod_spec.rules import Errors
from wherry.api.core.pod_status import initial_status, keep_given, validate_pod_status
from wherry.api.core.pod_update import validate_ephemeral_changes, validate_pod_changes
from wherry.api.core.pod_warnings import pod_warnings
from wherry.api.generation import count_generation
from wherry.api.resource import Resource, Strategy, Subresource
from wherry.api.validation import validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, forbidden_value
from wherry.objects.meta import Object, annotations_of, labels_of, name_of

_TERMINAL = ("Succeeded", "Failed")
_NOTHING: Mapping[str, Any] = {}


class PodStrategy(Strategy):
    """Defaults, checks and table row of pods."""

    status_resets = ("spec", "metadata.deletionTimestamp", "metadata.ownerReferences")

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_spec(spec)
        default_pod_only(spec)

    def prepare(self, new: Object, old: Object | None) -> None:
        if old is None:
            new["status"] = initial_status(new)
            merge_label_keys(new["spec"], labels_of(new))
        else:
            new["status"] = old.get("status") or {}
        count_generation(new, old, ("spec",))

    def prepare_status(self, new: Object, old: Object) -> None:
        super().prepare_status(new, old)
        keep_given(new.setdefault("status", {}), old.get("status") or _NOTHING)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        if old is None:
            errors = validate_object_meta(new, True)
            validate_pod(new, errors)
            _validate_new(new, errors)
            return errors
        errors = validate_object_meta_update(new, old)
        validate_pod(new, errors)
        validate_pod_annotation_changes(
            annotations_of(new), annotations_of(old), "metadata.annotations", errors
        )
        validate_pod_changes(new["spec"], old["spec"], errors)
        return errors

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        return [*validate_object_meta_update(new, old), *validate_pod_status(new, old)]

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        return pod_warnings(new) if old is None else []

    def grace_period_s(self, obj: Object, asked: int | None) -> int:
        spec = obj.get("spec") or _NOTHING
        if not spec.get("nodeName") or (obj.get("status") or _NOTHING).get("phase") in _TERMINAL:
            return 0
        own = spec.get("terminationGracePeriodSeconds") or 0
        seconds: int = own if asked is None else asked
        return seconds if seconds >= 0 else 1

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return pod_cells(obj, now)


def validate_pod(pod: Object, errors: Errors) -> None:
    """Add what is wrong with a pod's annotations and spec, whatever it was before."""
    spec = pod.get("spec") or {}
    if annotations := annotations_of(pod):
        validate_pod_annotations(annotations, spec, "metadata.annotations", errors)
    validate_pod_spec(spec, "spec", errors, is_pod=True, pod_name=name_of(pod))
    if not spec.get("serviceAccountName"):
        _validate_no_tokens(spec, errors)


def _validate_new(pod: Object, errors: Errors) -> None:
    spec = pod["spec"]
    if spec.get("ephemeralContainers"):
        errors.append(forbidden_value("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        detail = "cannot be set until all schedulingGates have been cleared"
        errors.append(forbidden_value("spec.nodeName", detail))


def _validate_no_tokens(spec: Mapping[str, Any], errors: Errors) -> None:
    """Without an account there is nothing a token could be for."""
    for outer, volume in enumerate(spec.get("volumes") or ()):
        for inner, source in enumerate((volume.get("projected") or _NOTHING).get("sources") or ()):
            if source.get("serviceAccountToken") is not None:
                at = f"spec.volumes[{outer}].projected.sources[{inner}].serviceAccountToken"
                detail = "must not be specified when serviceAccountName is not set"
                errors.append(forbidden_value(at, detail))


def validate_ephemeral_update(new: Object, old: Object) -> list[FieldError]:
    """What is wrong with a write to `ephemeralcontainers`, `new` being the whole pod it results in."""
    if MIRROR in annotations_of(old):
        return [forbidden_value("", "static pods do not support ephemeral containers")]
    errors = validate_object_meta_update(new, old)
    validate_pod(new, errors)
    validate_ephemeral_changes(new["spec"], old["spec"], errors)
    return errors


def _spec(field: str) -> Callable[[Object], str]:
    return lambda pod: str((pod.get("spec") or _NOTHING).get(field) or "")


def _status(field: str) -> Callable[[Object], str]:
    return lambda pod: str((pod.get("status") or _NOTHING).get(field) or "")


def _on_host_network(pod: Object) -> str:
    return "true" if (pod.get("spec") or _NOTHING).get("hostNetwork") else "false"


def _pod_ips(pod: Object) -> str:
    return ",".join(entry.get("ip") or "" for entry in (pod.get("status") or _NOTHING).get("podIPs") or ())


PODS = Resource(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    namespaced=True,
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource("attach", verbs=("create", "get"), kind="PodAttachOptions"),
        Subresource("binding", verbs=("create",), kind="Binding"),
        Subresource("ephemeralcontainers"),
        Subresource("eviction", verbs=("create",), group="policy", version="v1", kind="Eviction"),
        Subresource("exec", verbs=("create", "get"), kind="PodExecOptions"),
        Subresource("log", verbs=("get",)),
        Subresource("portforward", verbs=("create", "get"), kind="PodPortForwardOptions"),
        Subresource("proxy", verbs=("create", "delete", "get", "patch", "update"), kind="PodProxyOptions"),
        Subresource("resize"),
        Subresource("status"),
    ),
    strategy=PodStrategy(),
    columns=POD_COLUMNS,
    selectable={
        "spec.nodeName": _spec("nodeName"),
        "spec.restartPolicy": _spec("restartPolicy"),
        "spec.schedulerName": _spec("schedulerName"),
        "spec.serviceAccountName": _spec("serviceAccountName"),
        "spec.hostNetwork": _on_host_network,
        "status.phase": _status("phase"),
        "status.podIP": _status("podIP"),
        "status.podIPs": _pod_ips,
        "status.nominatedNodeName": _status("nominatedNodeName"),
    },
    indexed=frozenset({"spec.nodeName"}),
    schema="io.k8s.api.core.v1.Pod",
)
