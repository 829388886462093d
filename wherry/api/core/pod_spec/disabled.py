"""Fields of pods that belong to features which are off, alpha at this level: they are not stored.

Upstream drops them without a word from what is created, and from what is updated unless it is there already:
whoever stored it may have had the feature on (pkg/api/pod/util.go, dropDisabledFields). That holds for pods
and for every template of pods. A feature that goes on leaves this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

Fields: TypeAlias = Mapping[str, Any]

OWNERS = "owners of files in volumes"
EMPTY_DIR_MODES = "modes of emptyDirs"
PROBE_PROTOCOLS = "protocols of probes and hooks"
BIND_MOUNT_OPTIONS = "VolumeBindMountOptions"
EVICTION_RESPONDERS = "EvictionRequestAPI"

_TEMPLATE = ("spec", "template", "spec")
_REPLICATED = {
    "apps": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "extensions": ("DaemonSet", "Deployment", "ReplicaSet"),
}
POD_SPECS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): _TEMPLATE,
    **{(group, kind): _TEMPLATE for group, kinds in _REPLICATED.items() for kind in kinds},
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
}
"""Where each kind (by group) has the spec of its pods."""

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_OWNED = ("clusterTrustBundle", "podCertificate", "serviceAccountToken")
_WITH_ITEMS = ("configMap", "downwardAPI", "secret")


class _Found(NamedTuple):
    """A field of a feature that is off, and the object that has it."""

    feature: str
    holder: dict[str, Any]
    field: str


def drop_disabled_fields(
    group: str, kind: str, new: Mapping[str, Any], old: Mapping[str, Any] | None
) -> None:
    """Take out of a pod, or of what has a template of pods, what belongs to features that are off.

    `new` is about to be stored, `old` is what is stored (None on create); what it has already may stay.
    """
    path = POD_SPECS.get((group, kind))
    if path is None:
        return
    found = list(_disabled(_at(new, path)))
    if not found:
        return
    used = {one.feature for one in _disabled(_at(old or {}, path))}
    for feature, holder, field in found:
        if feature not in used:
            holder.pop(field, None)


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for field in path:
        obj = obj.get(field) if isinstance(obj, dict) else None
    return obj


def _disabled(spec: Any) -> Iterator[_Found]:
    if not isinstance(spec, dict):
        return
    yield from _having(EVICTION_RESPONDERS, spec, "evictionResponders")
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume)
    for name in _CONTAINERS:
        for container in spec.get(name) or ():
            yield from _of_container(container)


def _of_volume(volume: Mapping[str, Any]) -> Iterator[_Found]:
    yield from _having(EMPTY_DIR_MODES, volume.get("emptyDir"), "mode")
    for kind in (*_WITH_ITEMS, "projected"):
        yield from _having(OWNERS, volume.get(kind), "defaultUser")
    yield from _of_items(volume)
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from _of_items(source)
        for kind in _OWNED:
            yield from _having(OWNERS, source.get(kind), "user")


def _of_items(sources: Mapping[str, Any]) -> Iterator[_Found]:
    for kind in _WITH_ITEMS:
        for item in (sources.get(kind) or {}).get("items") or ():
            yield from _having(OWNERS, item, "user")


def _of_container(container: Mapping[str, Any]) -> Iterator[_Found]:
    for mount in container.get("volumeMounts") or ():
        yield from _having(BIND_MOUNT_OPTIONS, mount, "bindMountOptions")
    handlers = [container.get(name) for name in _PROBES]
    handlers += (container.get("lifecycle") or {}).values()
    for handler in handlers:
        if isinstance(handler, dict):
            yield from _having(PROBE_PROTOCOLS, handler.get("httpGet"), "protocol")
            yield from _having(PROBE_PROTOCOLS, handler.get("grpc"), "mode")


def _having(feature: str, holder: Any, field: str) -> Iterator[_Found]:
    if isinstance(holder, dict) and holder.get(field) is not None:
        yield _Found(feature, holder, field)
