"""Which Jobs an event of a pod concerns, and which pods no job looks after any more.

An orphan's jobs are found by the label a job's selector asks for, not by asking every job.
"""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.batch.job_status import end_of
from wherry.api.batch.jobs import CONTROLLER_UID, JOBS, OLD_CONTROLLER_UID
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.controllers.job.facts import is_ours, is_tracked
from wherry.controllers.ownership import ORPHANS, matching_owners
from wherry.objects.meta import (
    Object,
    controller_of,
    is_deleting,
    key_of,
    labels_of,
    namespace_of,
    uid_of,
)

ORPHAN = "orphan "
"""In front of a pod's key: the pod may have to lose the finalizer. No namespace has a blank in its name."""
MARKED_ORPHANS = "job-orphans"
"""The index of pods without a controller, by their label controller-uid."""


def orphan_marks(pod: Object) -> list[str]:
    """The `MARKED_ORPHANS` index function."""
    return list(_marks(pod)) if controller_of(pod) is None else []


def orphans_for(cache: Cache, job: Object) -> list[Object]:
    """The pods without a controller that the job's selector may fit."""
    labels = ((job.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    wanted = labels.get(CONTROLLER_UID) or labels.get(OLD_CONTROLLER_UID)
    if not wanted:
        return cache.by_index(PODS, ORPHANS, namespace_of(job))
    return [pod for pod in cache.by_index(PODS, MARKED_ORPHANS, wanted) if _shares_namespace(pod, job)]


def pod_keys(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The keys a pod's event concerns: its job's, or those of jobs that may adopt it; and its own."""
    found = {key for pod in (old, new) if pod is not None and (key := job_key(pod))}
    if new is None:
        return found
    if is_abandoned(cache, new):
        found.add(f"{ORPHAN}{key_of(new)}")
    is_news = old is None or labels_of(old) != labels_of(new) or controller_of(old) is not None
    if is_news and controller_of(new) is None and not is_deleting(new):
        found.update(matching_owners(cache, JOBS, new))
    return found


def left_behind(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The keys of the pods that a job which ended or went leaves with a finalizer."""
    job = new or old or {}
    if new is not None and (end_of(new) is None or (old is not None and end_of(old) is not None)):
        return ()
    return [
        f"{ORPHAN}{key_of(pod)}"
        for pod in cache.owned(PODS, uid_of(job), namespace_of(job))
        if is_tracked(pod)
    ]


def is_abandoned(cache: Cache, pod: Object) -> bool:
    """Whether the pod has our finalizer though no job of ours is going to count it."""
    if not is_tracked(pod):
        return False
    ref = controller_of(pod)
    if ref is None:
        return True
    if ref.get("kind") != JOBS.kind or ref.get("apiVersion") != JOBS.api_version:
        return False
    job = cache.get(JOBS, f"{namespace_of(pod)}/{ref['name']}")
    if job is None or uid_of(job) != ref.get("uid"):
        return True
    return is_ours(job) and end_of(job) is not None


def job_key(pod: Object) -> str:
    """The key of the job that owns the pod, "" when none does."""
    ref = controller_of(pod)
    if ref is None or ref.get("kind") != JOBS.kind or ref.get("apiVersion") != JOBS.api_version:
        return ""
    return f"{namespace_of(pod)}/{ref['name']}"


def _marks(pod: Object) -> set[str]:
    labels = labels_of(pod)
    return {mark for name in (CONTROLLER_UID, OLD_CONTROLLER_UID) if (mark := labels.get(name))}


def _shares_namespace(one: Object, other: Object) -> bool:
    return namespace_of(one) == namespace_of(other)
