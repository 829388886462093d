"""The pods a Job makes, those of an index with what tells them their index."""

from __future__ import annotations

from typing import Any

from wherry.api.batch.jobs import JOBS
from wherry.controllers.job.facts import (
    FAILURES,
    FINALIZER,
    IGNORED_FAILURES,
    INDEX,
    PodFacts,
    failures_of,
    ignored_failures_of,
)
from wherry.controllers.job.failure_policy import match_failure
from wherry.controllers.pod_control import pod_from_template
from wherry.objects.meta import Object, name_of

ENVIRONMENT = "JOB_COMPLETION_INDEX"
LONGEST_PREFIX = 58
"""What the API server keeps of a generateName: 63 characters less the five it adds."""


def make_pod(job: Object, index: int | None, replaced: PodFacts | None) -> Object:
    """A pod of the job, for `index` if it has indexes; `replaced` is the failed pod whose place it takes."""
    pod = pod_from_template(job, JOBS.api_version, JOBS.kind, job["spec"].get("template") or {})
    meta = pod["metadata"]
    finalizers = meta.setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    if index is None:
        return pod
    meta["generateName"] = name_prefix(name_of(job), index)
    meta.setdefault("labels", {})[INDEX] = str(index)
    annotations = meta.setdefault("annotations", {})
    annotations[INDEX] = str(index)
    if job["spec"].get("backoffLimitPerIndex") is not None:
        annotations |= _failure_counts(job, replaced)
    pod["spec"]["hostname"] = f"{name_of(job)}-{index}"
    for container in (*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())):
        _tell_index(container)
    return pod


def name_prefix(name: str, index: int) -> str:
    """The generateName of an index's pods, with the index in it however long the job's name is."""
    end = f"-{index}-"
    return f"{name[: LONGEST_PREFIX - len(end)]}{end}"


def _failure_counts(job: Object, replaced: PodFacts | None) -> dict[str, str]:
    if replaced is None:
        return {FAILURES: "0"}
    failures, ignored = failures_of(replaced.pod), ignored_failures_of(replaced.pod)
    if match_failure(job["spec"].get("podFailurePolicy"), replaced.pod).counts:
        failures += 1
    else:
        ignored += 1
    return {FAILURES: str(failures), **({IGNORED_FAILURES: str(ignored)} if ignored else {})}


def _tell_index(container: dict[str, Any]) -> None:
    variables = container.get("env") or []
    if all(variable.get("name") != ENVIRONMENT for variable in variables):
        source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
        container["env"] = [*variables, {"name": ENVIRONMENT, "valueFrom": source}]
