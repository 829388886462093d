"""What a cluster holds in the end, without what differs each time: what a sweep compares.

Left out is by place, never by name alone: a user's field that is called like one of bookkeeping counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import orjson

from wherry.hollow.machines import LOST
from wherry.objects.meta import Object
from wherry.store.memory import Image

LEFT_OUT_KINDS = ("/registry/events/", "/registry/leases/", "/registry/apiregistration")
"""Kinds that tell what happened, not where it ended."""
Place: TypeAlias = tuple[str, ...]
"""The names of the fields that lead to one, from the object's root; lists are passed through."""
OF_METADATA = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"})
CONDITIONS = ("status", "conditions")
"""A list that is a map by type: which of them was said first is chance."""
TRIGGERED = ("metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time")
ANYWHERE_IN_STATUS = frozenset(
    {
        "allocationTimestamp",
        "completionTime",
        "containerID",
        "finishedAt",
        "hostIP",
        "hostIPs",
        "lastHeartbeatTime",
        "lastProbeTime",
        "lastScaleTime",
        "lastScheduleTime",
        "lastSuccessfulTime",
        "lastTransitionTime",
        "lastUpdateTime",
        "podIP",
        "podIPs",
        "startTime",
        "startedAt",
        "uid",
    }
)
"""Fields of a status that say when, or where by chance."""
BY_KIND: Mapping[str, frozenset[Place]] = {
    "EndpointSlice": frozenset({("endpoints", "addresses"), ("endpoints", "nodeName"), TRIGGERED}),
    "Endpoints": frozenset(
        {
            *(
                ("subsets", addresses, name)
                for addresses in ("addresses", "notReadyAddresses")
                for name in ("ip", "nodeName")
            ),
            TRIGGERED,
        }
    ),
    "Node": frozenset({("metadata", "annotations", LOST)}),
    "Pod": frozenset({("spec", "nodeName")}),
}
"""Fields of a kind that say where by chance."""
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_TOKEN_VOLUME = re.compile(r"kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""What the API server calls the volume of a pod's token (ServiceAccount admission)."""

_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

EndState = Mapping[str, Any]


class End:
    """What an image holds, read; what is the same entry as in another that is known is not read again."""

    def __init__(self, image: Image, known: End | None = None) -> None:
        self.entries = {key: one for key, one in image.current.items() if not key.startswith(LEFT_OUT_KINDS)}
        old = known.entries if known is not None else {}
        read = known.objects if known is not None else {}
        self.objects: dict[str, Object] = {
            key: read[key] if old.get(key) is entry else orjson.loads(entry.value)
            for key, entry in self.entries.items()
        }


def differences_of(expected: End, found: End) -> list[str]:
    """A line for each difference between two ends that began alike; what nobody wrote is the same in both."""
    same = {key for key, entry in expected.entries.items() if found.entries.get(key) is entry}
    return list(differences(end_state(expected, same), end_state(found, same)))


def end_state(end: End, without: Collection[str] = ()) -> dict[str, list[Any]]:
    """The objects of an end by kind, namespace and name, but for some keys; generated names together."""
    made_up = dict(_made_up(end.objects))
    found: dict[str, list[Any]] = {}
    for key, obj in end.objects.items():
        if key in without:
            continue
        found.setdefault(_place(key, obj), []).append(_bare(obj, made_up))
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


def _made_up(objects: Mapping[str, Object]) -> Iterator[tuple[str, str]]:
    """The names and uids the API server made up, and what they are called here."""
    for key, obj in objects.items():
        meta = obj.get("metadata") or {}
        if meta.get("generateName"):
            yield meta["name"], f"{meta['generateName']}*"
        if meta.get("uid"):
            yield meta["uid"], f"uid of {_place(key, obj)}"


def _place(key: str, obj: Object) -> str:
    meta = obj.get("metadata") or {}
    path = key.removeprefix("/registry/")
    if meta.get("generateName"):
        path = f"{path.rpartition('/')[0]}/{meta['generateName']}*"
    return path


def _bare(obj: Object, made_up: Mapping[str, str]) -> Any:
    """The object without chance: of when it was deleted or last observed, only whether it was."""
    meta, status = obj.get("metadata") or {}, obj.get("status") or {}
    left_out = BY_KIND.get(obj.get("kind") or "", frozenset()) | {("metadata", name) for name in OF_METADATA}
    bare = _without(obj, (), left_out, made_up)
    if "deletionTimestamp" in meta:
        bare["metadata"]["deletionTimestamp"] = "set"
    if "observedGeneration" in status:
        is_all = status["observedGeneration"] == meta.get("generation")
        bare["status"]["observedGeneration"] = "newest" if is_all else "older"
    return bare


def _without(value: Any, place: Place, left_out: Collection[Place], made_up: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        names = ANYWHERE_IN_STATUS if place[:1] == ("status",) else _REFERENCE if _refers(value) else ()
        bare = {
            name: _without(part, (*place, name), left_out, made_up)
            for name, part in value.items()
            if name not in names and (*place, name) not in left_out
        }
        # A map of nothing but what is left out is not there either.
        return {name: part for name, part in bare.items() if part != {} or value[name] == {}}
    if isinstance(value, list):
        parts = [_without(part, place, left_out, made_up) for part in value]
        return sorted(parts, key=_type) if place == CONDITIONS else parts
    if not isinstance(value, str):
        return value
    if _TOKEN_VOLUME.fullmatch(value):
        return "kube-api-access-*"
    if place[:2] == ("metadata", "labels") and value not in made_up and _UID.fullmatch(value):
        return "*"  # of an owner who is gone
    return _NAME.sub(lambda match: made_up.get(match[0], match[0]), value) if made_up else value


_REFERENCE = ("resourceVersion", "uid")


def _type(condition: Any) -> str:
    return str(condition.get("type")) if isinstance(condition, dict) else ""


def _refers(value: Mapping[str, Any]) -> bool:
    """Whether it is a reference to an object (ObjectReference, OwnerReference)."""
    return "kind" in value and "name" in value and "uid" in value
