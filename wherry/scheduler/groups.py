"""PodGroups and their pods as the scheduler knows them (`PodGroups`).

A pod counts from when it is seen until it is gone, has ended, or is deleted without a node (upstream's
PodGroupState). How many of them are scheduled is counted where it is asked, from the placements.
"""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.scheduling.pod_groups import group_key
from wherry.objects.meta import Object, is_deleting, uid_of


def min_count(group: Object) -> int:
    """How many pods of a group are scheduled at once, or none: of one that is no gang each goes alone."""
    policy = (group.get("spec") or {}).get("schedulingPolicy") or {}
    return (policy.get("gang") or {}).get("minCount") or 1


def is_gang(group: Object) -> bool:
    """Whether the pods of a group are scheduled together, or not at all."""
    return ((group.get("spec") or {}).get("schedulingPolicy") or {}).get("gang") is not None


def priority_of(group: Object) -> int:
    """The priority of a group, which is that of each of its pods."""
    return (group.get("spec") or {}).get("priority") or 0


def goes_whole(group: Object) -> bool:
    """Whether the pods of a group are disrupted together, or not at all."""
    return ((group.get("spec") or {}).get("disruptionMode") or {}).get("all") is not None


class PodGroups:
    """See the module."""

    def __init__(self) -> None:
        self._groups: dict[str, Object] = {}
        self._pods: dict[str, dict[str, None]] = {}
        """By group: the uids of its pods."""

    def get(self, key: str) -> Object | None:
        """The PodGroup `namespace/name`."""
        return self._groups.get(key)

    def set_group(self, key: str, group: Object | None) -> None:
        """Take over a PodGroup (None: it is gone)."""
        if group is None:
            self._groups.pop(key, None)
        else:
            self._groups[key] = group

    def pods_of(self, key: str) -> Iterable[str]:
        """The uids of a group's pods."""
        return self._pods.get(key, {}).keys()

    def count(self, key: str) -> int:
        """How many pods a group has."""
        return len(self._pods.get(key, ()))

    def pod_changed(self, old: Object | None, new: Object | None) -> str:
        """A pod came, changed or went; the group it is new to, "" if it is new to none."""
        pod = new if new is not None else old
        key = group_key(pod or {})
        if not key or pod is None:
            return ""
        uid, pods = uid_of(pod), self._pods.setdefault(key, {})
        is_new = uid not in pods
        if new is not None and _counts(new):
            pods[uid] = None
            return key if is_new else ""
        pods.pop(uid, None)
        if not pods:
            del self._pods[key]
        return ""


def _counts(pod: Object) -> bool:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    return bool((pod.get("spec") or {}).get("nodeName")) or not is_deleting(pod)
