"""Jobs and pods as the tests of the job controller's decisions need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wherry.controllers.job.facts import FAILURES, FINALIZER, IGNORED_FAILURES, INDEX, Facts, look
from wherry.objects.meta import Object, format_time

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> str:
    return format_time(NOW - timedelta(seconds=seconds))


def job(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "default", "uid": "u", **meta},
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "selector": {"matchLabels": {"job": "j"}},
            "template": {
                "metadata": {"labels": {"job": "j"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
            },
            **(spec or {}),
        },
        "status": {"startTime": ago(60), **(status or {})},
    }


def indexed(
    completions: int, parallelism: int = 0, status: dict[str, Any] | None = None, **spec: Any
) -> Object:
    mode = {"completionMode": "Indexed", "completions": completions}
    return job({**mode, "parallelism": parallelism or completions, **spec}, status)


def pod(name: str, phase: str = "Running", index: int | None = None, **more: Any) -> Object:
    """A pod; `tracked=False`, `deleting=True`, `ready=True`, `code=3`, `failures=2`, `ended` s ago ..."""
    meta: Object = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": ago(50)}
    annotations: dict[str, str] = {}
    if more.get("tracked", True):
        meta["finalizers"] = [FINALIZER]
    if more.get("deleting"):
        meta |= {"deletionTimestamp": ago(5), "deletionGracePeriodSeconds": 0}
    if index is not None:
        annotations[INDEX] = str(index)
    for key, name_of_it in (("failures", FAILURES), ("ignored", IGNORED_FAILURES)):
        if key in more:
            annotations[name_of_it] = str(more[key])
    status: Object = {"phase": phase, "conditions": list(more.get("conditions", ()))}
    if more.get("ready"):
        status["conditions"].append({"type": "Ready", "status": "True", "lastTransitionTime": ago(20)})
    if phase in ("Succeeded", "Failed"):
        ended = {"exitCode": more.get("code", 0 if phase == "Succeeded" else 1)}
        ended["finishedAt"] = ago(more.get("ended", 1))
        status["containerStatuses"] = [{"name": "c", "state": {"terminated": ended}}]
    if "restarts" in more:
        status["containerStatuses"] = [{"name": "c", "restartCount": more["restarts"], "state": {}}]
    spec = {"nodeName": more["node"]} if "node" in more else {}
    return {"metadata": {**meta, "annotations": annotations}, "spec": spec, "status": status}


def facts(a_job: Object, *pods: Object) -> Facts:
    return look(a_job, pods, NOW)
