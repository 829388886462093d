"""Creations of kinds nobody acts on are answered with a warning; nothing else is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.apiserver.conformance.asking import warnings_of
from tests.apiserver.rig import Rig, running
from wherry.api.networking.ingress_classes import INGRESS_CLASSES
from wherry.cluster.unattended import ACTED_ON
from wherry.objects.meta import Object

LABELS = {"app": "x"}
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SELECTED: Object = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
JOB: Object = {"template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}
ONLY_STORED = "is stored, but no controller of this cluster acts on it yet"
APPS, BATCH, NETWORKING = "/apis/apps/v1", "/apis/batch/v1", "/apis/networking.k8s.io/v1"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
INGRESS = {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}
SCALED = {"scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, "maxReplicas": 2}


@pytest.mark.parametrize(
    ("collection", "spec", "told"),
    [
        (f"{APPS}/NS/statefulsets", {**SELECTED, "serviceName": "s"}, [f"StatefulSet {ONLY_STORED}"]),
        (f"{APPS}/NS/daemonsets", SELECTED, [f"DaemonSet {ONLY_STORED}"]),
        (f"{APPS}/NS/deployments", SELECTED, []),
        (f"{BATCH}/NS/jobs", JOB, [f"Job {ONLY_STORED}"]),
        (
            f"{BATCH}/NS/cronjobs",
            {"schedule": "* * * * *", "jobTemplate": {"spec": JOB}},
            [f"CronJob {ONLY_STORED}"],
        ),
        (
            "/apis/autoscaling/v2/NS/horizontalpodautoscalers",
            SCALED,
            [f"HorizontalPodAutoscaler {ONLY_STORED}"],
        ),
        (
            "/api/v1/NS/services",
            {"type": "LoadBalancer", "ports": [{"port": 80}]},
            ["Service of type LoadBalancer gets no address from this cluster yet, only a node port"],
        ),
        (
            "/api/v1/NS/services",
            {"type": "LoadBalancer", "ports": [{"port": 80}], "loadBalancerClass": "example.com/lb"},
            [],
        ),
        ("/api/v1/NS/services", {"type": "NodePort", "ports": [{"port": 80}]}, []),
        (
            f"{NETWORKING}/NS/networkpolicies",
            {"podSelector": {}},
            ["NetworkPolicy is stored, but nothing in this cluster enforces it yet"],
        ),
        (
            "/api/v1/NS/persistentvolumeclaims",
            CLAIM,
            ["PersistentVolumeClaim is stored, but nothing in this cluster binds it yet: pods wait for it"],
        ),
        (
            f"{NETWORKING}/NS/ingresses",
            INGRESS,
            ["Ingress is stored, but there is no IngressClass: no controller acts on it yet"],
        ),
    ],
)
async def test_what_is_created(collection: str, spec: Mapping[str, Any], told: list[str]) -> None:
    async with running(unattended=ACTED_ON) as rig:
        path = collection.replace("NS", "namespaces/default")
        status, _, headers = await post(rig, path, spec)
        assert status == 201
        assert warnings_of(headers) == told


async def post(rig: Rig, path: str, spec: Mapping[str, Any]) -> Any:
    return await rig.http("POST", path, body={"metadata": {"name": "x"}, "spec": spec})


async def test_where_nobody_said_so_nothing_is_told(rig: Rig) -> None:
    _, _, headers = await post(rig, f"{BATCH}/namespaces/default/jobs", JOB)
    assert warnings_of(headers) == []


async def test_whoever_brings_an_ingress_class_acts_on_ingresses() -> None:
    async with running(unattended=ACTED_ON) as rig:
        await rig.admin.create(
            INGRESS_CLASSES, {"metadata": {"name": "mine"}, "spec": {"controller": "example.com/c"}}
        )
        _, _, headers = await post(rig, f"{NETWORKING}/namespaces/default/ingresses", INGRESS)
        assert warnings_of(headers) == []
