"""What anybody who may write a status can write there: each controller comes to its end, and goes on.

Every field of every status gets absurd and valid values, one at a time, each on an object of its own;
what the server refuses is not in question. Afterwards no key still fails, nothing was logged as a
fault, and an object of the same kind that came last is as it should be.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from wherry.api.catalog import BUILTIN
from wherry.api.resource import Resource
from wherry.api.schema.definitions import definition
from wherry.kit.workqueue import WorkQueue
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.testing import Cluster

MOST = 2**31 - 1
EARLY, LATE = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
NUMBERS = {"int32": (-1, MOST), "int64": (-1, 2**63 - 1)}
TEXTS = ("²", "9" * 25, "0-2147483647")
AMOUNTS = ("0", "9E")
UIDS = [f"u{number}" for number in range(3000)]
RUNS = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: runs}
spec: {completesAfter: 10h}
"""


CONTAINER = {"name": "c", "image": "i"}


def template(**spec: Any) -> Object:
    return {"metadata": {"labels": {"app": "NAME"}}, "spec": {"containers": [CONTAINER], **spec}}


def workload(api_version: str, kind: str, **spec: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "spec": spec}


SELECTOR = {"matchLabels": {"app": "NAME"}}
SETS: dict[str, Any] = {"replicas": 1, "selector": SELECTOR, "template": template()}
ENDING = template(restartPolicy="Never")
INDEXED = {"completionMode": "Indexed", "completions": 2, "parallelism": 1, "backoffLimitPerIndex": 1}
STORAGE = {"requests": {"storage": "1Gi"}}
RULE = {"apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["y"]}
OBJECTS = [
    workload("batch/v1", "Job", **INDEXED, template=ENDING, ttlSecondsAfterFinished=MOST),
    workload("batch/v1", "CronJob", schedule="* * * * *", jobTemplate={"spec": {"template": ENDING}}),
    workload("apps/v1", "Deployment", **SETS),
    workload("apps/v1", "ReplicaSet", **SETS),
    workload("apps/v1", "StatefulSet", serviceName="x", **SETS),
    workload("apps/v1", "DaemonSet", selector=SELECTOR, template=template()),
    workload("v1", "ReplicationController", **{**SETS, "selector": {"app": "NAME"}}),
    workload(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        maxReplicas=2,
        scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "NAME"},
    ),
    workload("policy/v1", "PodDisruptionBudget", minAvailable=1, selector=SELECTOR),
    workload("v1", "ResourceQuota", hard={"pods": "200"}),
    workload("v1", "Pod", containers=[CONTAINER]),
    workload("v1", "Service", selector={"app": "NAME"}, ports=[{"port": 80}]),
    workload("v1", "Node"),
    workload("v1", "Namespace"),
    workload("v1", "PersistentVolumeClaim", accessModes=["ReadWriteOnce"], resources=STORAGE),
    workload(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        matchConstraints={"resourceRules": [{"apiGroups": ["x"], **RULE}]},
        validations=[{"expression": "true"}],
    ),
]
CONDITIONS = {
    "Job": ("Suspended", "FailureTarget", "SuccessCriteriaMet"),
    "Deployment": ("Progressing", "ReplicaFailure"),
    "ReplicaSet": ("ReplicaFailure",),
    "HorizontalPodAutoscaler": ("AbleToScale",),
    "PodDisruptionBudget": ("DisruptionAllowed",),
    "Pod": ("Ready", "DisruptionTarget"),
    "Node": ("Ready",),
}
MET = {"type": "SuccessCriteriaMet", "status": "True"}
TARGET = {"type": "FailureTarget", "status": "True"}
LATE_END = {"startTime": LATE, "completionTime": LATE, "active": 0, "ready": 0}
TOGETHER: dict[str, list[Object]] = {
    "Job": [
        {"active": MOST, "ready": MOST},
        {"failed": MOST, "uncountedTerminatedPods": {"failed": UIDS}},
        {"succeeded": MOST, "uncountedTerminatedPods": {"succeeded": ["a"]}},
        {"failed": MOST, "conditions": [TARGET]},
        {"startTime": LATE, "conditions": [MET]},
        {**LATE_END, "conditions": [MET, {"type": "Complete", "status": "True"}]},
        {**LATE_END, "conditions": [MET, {"type": "Complete", "status": "True", "lastTransitionTime": LATE}]},
        {"completedIndexes": "0,1", "succeeded": 1},
    ],
    "CronJob": [{"active": [{"name": uid, "namespace": "default", "uid": uid} for uid in UIDS[:300]]}],
    "ResourceQuota": [{"used": {"pods": "9E"}}, {"used": {"count/x.y": "5"}, "hard": {}}],
}


def values(shape: Any, kind: str, depth: int = 0) -> Iterator[Any]:
    """What may stand in a field."""
    if shape.type == "integer":
        yield from NUMBERS.get(shape.format or "int64", ())
    elif shape.type == "time":
        yield from (EARLY, LATE)
    elif shape.type == "string":
        yield from TEXTS
    elif shape.type in ("quantity", "int-or-string"):
        yield from AMOUNTS
    elif shape.type == "array":
        yield from ([value] for value in values(shape.items(), kind, depth + 1))
    elif shape.kind == "map":
        yield from ({"pods": value} for value in values(shape.field("pods"), kind, depth + 1))
    elif shape.kind == "struct" and depth < 4:
        yield from structs(shape.definition, kind, depth)


def structs(of: Any, kind: str, depth: int) -> Iterator[Object]:
    fields = of.fields()
    bases: list[Object] = [{name: "x" for name in of.required if fields[name].type == "string"}]
    if "lastTransitionTime" in fields:
        said = {"status": "True", "reason": "R", "message": "M"}
        bases = [{"type": name, **said} for name in CONDITIONS.get(kind, ("Ready",))]
        yield from bases  # without any time
    for base in bases:
        for name, field in fields.items():
            for value in values(field, kind, depth + 1):
                yield {**base, name: value}


def resource_of(obj: Object) -> Resource:
    return next(r for r in BUILTIN if (r.api_version, r.kind) == (obj["apiVersion"], obj["kind"]))


def named(obj: Object, name: str) -> Object:
    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        return name if value == "NAME" else value

    return {**fill(obj), "metadata": {"name": name}}


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> set[WorkQueue[Any]]:
    """Every queue in which a key failed."""
    found: set[WorkQueue[Any]] = set()
    add_failed = WorkQueue.add_failed

    def noting(self: WorkQueue[Any], key: Any) -> float:
        found.add(self)
        return add_failed(self, key)

    monkeypatch.setattr(WorkQueue, "add_failed", noting)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: obj["kind"])
def test_whatever_stands_in_a_status(
    obj: Object, queues: set[WorkQueue[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    resource, kind = resource_of(obj), obj["kind"]
    status = definition(resource.schema).fields()["status"].definition
    assert status is not None
    cases = [{name: value} for name, field in status.fields().items() for value in values(field, kind)]
    cases += copy.deepcopy(TOGETHER.get(kind, []))
    plural = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    namespace = "default" if resource.namespaced else ""
    written: dict[str, Object] = {}
    caplog.set_level(logging.ERROR)
    with Cluster(nodes=4, outcomes=[RUNS]) as c:
        c.clock.advance("1s")
        for number, case in enumerate(cases):
            c.client.create(named(obj, f"w{number}"))
            try:
                c.client.patch(plural, f"w{number}", {"status": case}, namespace, subresource="status")
            except ApiError:
                c.client.delete(plural, f"w{number}", namespace)
            else:
                written[f"w{number}"] = case
        c.clock.advance("20s")
        for pod in c.client.list("pods", "default"):
            if kind != "Pod":
                c.client.delete("pod", pod["metadata"]["name"], "default")
        c.client.create(named(obj, "last"))
        c.clock.advance("3m")
        last = c.client.get(plural, "last", namespace)
    failing = {str(key): queue.failures(key) for queue in queues for key in queue._failures}
    assert {key: written.get(key.rpartition("/")[2]) for key, times in failing.items() if times > 3} == {}
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert len(written) > 2
    assert last.get("status")


HISTORY = {"StatefulSet": "apps/v1", "DaemonSet": "apps/v1"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HISTORY)
@pytest.mark.parametrize(
    "data", [{}, {"spec": "x"}, {"spec": {"template": {"spec": {"containers": "x"}}}}], ids=repr
)
def test_revisions_somebody_else_made(
    kind: str, data: Object, queues: set[WorkQueue[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """They are adopted, being labelled so; a set rolls on all the same, after the last number there is."""
    caplog.set_level(logging.ERROR)
    obj = next(named(one, "web") for one in OBJECTS if one["kind"] == kind)
    with Cluster(nodes=2) as c:
        c.clock.advance("1s")
        meta = {"name": "strange", "namespace": "default", "labels": {"app": "web"}}
        revision = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta}
        c.client.create({**revision, "revision": 2**63 - 1, "data": data})
        c.client.create(obj)
        c.clock.advance("1m")
        change = {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}}
        c.client.patch(kind.lower(), "web", change, "default")
        c.clock.advance("3m")
        pods = c.client.list("pods", "default")
        assert pods
        assert {pod["metadata"]["labels"].get("v") for pod in pods} == {"2"}
    assert {key: times for queue in queues for key, times in queue._failures.items() if times > 3} == {}
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
