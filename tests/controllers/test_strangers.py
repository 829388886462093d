"""What another namespace's objects say of a workload, by its uid, is no matter to its controller."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.meta import Object
from wherry.testing import Cluster

LABELS = {"app": "web"}


def template(image: str = "nginx", **spec: Any) -> Object:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": image}], **spec}}


def workload(api_version: str, kind: str, **spec: Any) -> Object:
    meta = {"name": "web", "namespace": "a"}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}


def owned_by(owner: Object, name: str) -> Object:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {
        "name": name,
        "namespace": "b",
        "labels": dict(LABELS),
        "ownerReferences": [reference],
        "finalizers": ["example.com/held"],
    }


def stranger_pod(owner: Object, name: str) -> Object:
    return {**template(), "apiVersion": "v1", "kind": "Pod", "metadata": owned_by(owner, name)}


REPLICA_SET = workload(
    "apps/v1", "ReplicaSet", replicas=0, selector={"matchLabels": LABELS}, template=template()
)
STATEFUL_SET = workload(
    "apps/v1",
    "StatefulSet",
    replicas=0,
    serviceName="web",
    selector={"matchLabels": LABELS},
    template=template(),
)
JOB = workload(
    "batch/v1", "Job", suspend=True, completions=2, parallelism=2, template=template(restartPolicy="Never")
)


def pods_in_a(c: Cluster) -> set[str]:
    return {pod["metadata"]["name"] for pod in c.client.list("pods", "a")}


@pytest.mark.parametrize(
    ("made", "change"),
    [
        (REPLICA_SET, {"spec": {"replicas": 2}}),
        (STATEFUL_SET, {"spec": {"replicas": 2}}),
        (JOB, {"spec": {"suspend": False}}),
    ],
    ids=lambda value: value.get("kind") or "",
)
def test_pods_of_another_namespace_stand_for_none(made: Object, change: Object) -> None:
    with Cluster(nodes=2) as c:
        for namespace in "ab":
            c.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        c.clock.advance("1s")
        owner = c.client.create(made)
        for number in range(2):
            c.client.create(stranger_pod(owner, f"web-{number}"))
        c.clock.advance("5s")
        c.client.patch(made["kind"].lower(), "web", change, "a")
        c.clock.advance("20s")
        assert len(pods_in_a(c)) == 2
        for pod in c.client.list(
            "pods", "b"
        ):  # the garbage collector wants them gone: there is no such owner
            assert pod["metadata"]["finalizers"] == ["example.com/held"]


def test_a_replica_set_of_another_namespace_is_no_deployments() -> None:
    with Cluster(nodes=2) as c:
        for namespace in "ab":
            c.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        c.clock.advance("1s")
        owner = c.client.create(
            workload(
                "apps/v1", "Deployment", replicas=2, selector={"matchLabels": LABELS}, template=template()
            )
        )
        c.wait("deployment/web", "Available", namespace="a")
        stranger = workload(
            "apps/v1", "ReplicaSet", replicas=5, selector={"matchLabels": LABELS}, template=template("other")
        )
        c.client.create({**stranger, "metadata": owned_by(owner, "web-x")})
        c.client.patch("deployment", "web", {"spec": {"template": template("other")}}, "a")
        c.clock.advance("1m")
        images = {pod["spec"]["containers"][0]["image"] for pod in c.client.list("pods", "a")}
        assert images == {"other"}
        assert c.client.get("deployment", "web", "a")["status"]["replicas"] == 2
        assert c.client.get("replicaset", "web-x", "b")["spec"]["replicas"] == 5


def test_a_revision_of_another_namespace_is_no_stateful_sets() -> None:
    with Cluster(nodes=2) as c:
        for namespace in "ab":
            c.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        c.clock.advance("1s")
        update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        owner = c.client.create(
            {**STATEFUL_SET, "spec": {**STATEFUL_SET["spec"], "replicas": 2, "updateStrategy": update}}
        )
        c.clock.advance("20s")
        (revision,) = c.client.list("controllerrevisions", "a")
        evil = {"spec": {"template": {**template("evil"), "$patch": "replace"}}}
        meta = {**owned_by(owner, revision["metadata"]["name"]), "labels": revision["metadata"]["labels"]}
        c.client.create(
            {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": meta,
                "data": evil,
                "revision": 0,
            }
        )
        c.client.patch("statefulset", "web", {"spec": {"template": template("new")}}, "a")
        c.clock.advance("5s")
        c.client.delete("pod", "web-0", "a")
        c.clock.advance("1m")
        images = {pod["spec"]["containers"][0]["image"] for pod in c.client.list("pods", "a")}
        assert images == {"nginx"}


def test_what_a_cron_jobs_status_names_is_only_deleted_if_it_is_its_own() -> None:
    with Cluster(nodes=1) as c:
        for namespace in "ab":
            c.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        c.clock.advance("1s")
        spec = {"template": template(restartPolicy="Never")}
        victims = [
            c.client.create(
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": {"name": "victim", "namespace": namespace},
                    "spec": {**spec, "suspend": True},
                }
            )
            for namespace in "ab"
        ]
        c.client.create(
            workload(
                "batch/v1",
                "CronJob",
                schedule="* * * * *",
                concurrencyPolicy="Replace",
                jobTemplate={"spec": spec},
            )
        )
        active = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": "victim",
                "namespace": victim["metadata"]["namespace"],
                "uid": victim["metadata"]["uid"],
            }
            for victim in victims
        ]
        c.client.patch("cronjob", "web", {"status": {"active": active}}, "a", subresource="status")
        c.clock.advance("3m")
        for namespace in "ab":
            assert "deletionTimestamp" not in c.client.get("job", "victim", namespace)["metadata"]
        assert len(c.client.list("jobs", "a")) > 1
