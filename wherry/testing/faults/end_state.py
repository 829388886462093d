"""What a cluster holds in the end, without what differs each time: what a sweep compares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from wherry.objects.meta import Object
from wherry.store.memory import Image

LEFT_OUT_KINDS = ("/registry/events/", "/registry/leases/", "/registry/apiregistration")
"""Kinds that tell what happened, not where it ended."""
LEFT_OUT = frozenset(
    {
        "completionTime",
        "creationTimestamp",
        "deletionTimestamp",
        "finishedAt",
        "generation",
        "lastHeartbeatTime",
        "lastProbeTime",
        "lastSuccessfulTime",
        "lastTransitionTime",
        "lastUpdateTime",
        "managedFields",
        "observedGeneration",
        "resourceVersion",
        "startTime",
        "startedAt",
        "uid",
        "hostIP",
        "hostIPs",
        "podIP",
        "podIPs",
        "containerID",
        "nodeName",
    }
)
"""Fields that say when, in which order, or where by chance."""
_SUFFIX = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}$")
"""What the API server puts behind a generateName (apimachinery, pkg/util/rand)."""

_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A uid that stands elsewhere than in `uid`: in the labels of a Job's pods, say."""

EndState = Mapping[str, Any]


def end_state(image: Image) -> dict[str, list[Any]]:
    """The objects of an image by kind, namespace and name; those of generated names together."""
    found: dict[str, list[Any]] = {}
    for key, entry in image.current.items():
        if key.startswith(LEFT_OUT_KINDS):
            continue
        obj: Object = orjson.loads(entry.value)
        found.setdefault(_place(key, obj), []).append(_bare(obj))
    return {place: sorted(objects, key=orjson.dumps) for place, objects in found.items()}


def differences(expected: EndState, found: EndState) -> Iterator[str]:
    """A line for each object that is not the same in both."""
    for place in sorted({*expected, *found}):
        old, new = expected.get(place, []), found.get(place, [])
        if len(old) != len(new):
            yield f"{place}: {len(new)} instead of {len(old)}"
            continue
        for one, other in zip(old, new, strict=True):
            yield from (f"{place}{line}" for line in _differing(one, other, ""))


def _differing(old: Any, new: Any, path: str) -> Iterable[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _differing(old.get(name), new.get(name), f"{path}.{name}")
        return
    yield f"{path}: {_short(new)} instead of {_short(old)}"


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _place(key: str, obj: Object) -> str:
    meta = obj.get("metadata") or {}
    path = key.removeprefix("/registry/")
    if meta.get("generateName"):
        path = f"{path.rpartition('/')[0]}/{meta['generateName']}*"
    return path


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bare(part) for name, part in value.items() if name not in LEFT_OUT}
    if isinstance(value, list):
        return [_bare(part) for part in value]
    if not isinstance(value, str):
        return value
    return "*" if _UID.fullmatch(value) else _SUFFIX.sub("-*", value)
