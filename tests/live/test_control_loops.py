"""What controllers do beside workloads: scale by a served metric, keep to a time zone, evict, mirror."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.live.cluster import BUSYBOX, NGINX, LiveCluster, until
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki

GROUP = "external.metrics.k8s.io"
ZONE = "Asia/Kolkata"
METRIC = {"metricName": "queue", "metricLabels": {}, "timestamp": "2026-01-01T00:00:00Z", "value": "3"}
SITE = f"""
server {{
  listen 443 ssl;
  ssl_certificate /tls/tls.crt;
  ssl_certificate_key /tls/tls.key;
  default_type application/json;
  location = /apis/{GROUP}/v1beta1 {{
    return 200 '{{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "{GROUP}/v1beta1",
                  "resources": []}}';
  }}
  location ~ ^/apis/{GROUP}/v1beta1/namespaces/[^/]+/queue$ {{
    return 200 '{{"kind": "ExternalMetricValueList", "apiVersion": "{GROUP}/v1beta1", "metadata": {{}},
                  "items": [{json.dumps(METRIC)}]}}';
  }}
  location / {{ return 404; }}
}}
"""


def make(cluster: LiveCluster, namespace: str, *objects: dict[str, Any]) -> None:
    body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(body))


def pod(name: str, image: str, *command: str, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c", "image": image, **({"command": [*command]} if command else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


@contextmanager
def metrics_api(cluster: LiveCluster, namespace: str, directory: Path) -> Iterator[None]:
    """A server of external metrics in a pod, found through an APIService: the queue is three long."""
    pki = Pki(directory, datetime.now(UTC))
    pair = pki.leaf("metrics", Subject(common_name="metrics", hosts=(f"metrics.{namespace}.svc",)))
    cluster.kubectl(
        *("create", "secret", "tls", "metrics", "-n", namespace), f"--cert={pair.cert}", f"--key={pair.key}"
    )
    server = pod("metrics", NGINX)
    server["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "tls", "mountPath": "/tls"},
        {"name": "site", "mountPath": "/etc/nginx/conf.d"},
    ]
    server["spec"]["volumes"] = [
        {"name": "tls", "secret": {"secretName": "metrics"}},
        {"name": "site", "configMap": {"name": "metrics"}},
    ]
    spec = {"selector": {"app": "metrics"}, "ports": [{"port": 443}]}
    served = {
        "group": GROUP,
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
        "caBundle": base64.b64encode(pki.authority.cert.read_bytes()).decode(),
        "service": {"name": "metrics", "namespace": namespace},
    }
    name = f"v1beta1.{GROUP}"
    make(
        cluster,
        namespace,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "metrics"},
            "data": {"site.conf": SITE},
        },
        server,
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics"}, "spec": spec},
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": served,
        },
    )
    try:
        cluster.kubectl("wait", "--for=condition=Available", f"apiservice/{name}", "--timeout=60s")
        yield
    finally:
        cluster.kubectl("delete", "apiservice", name)


def test_an_autoscaler_follows_a_metric_somebody_serves(
    cluster: LiveCluster, namespace: str, tmp_path: Path
) -> None:
    metric = {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "1"}}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "worker"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"},
            "minReplicas": 0,
            "maxReplicas": 5,
            "metrics": [{"type": "External", "external": metric}],
        },
    }
    made = pod("worker", BUSYBOX, "sleep", "3600")
    template = {part: made[part] for part in ("metadata", "spec")}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "worker"},
        "spec": {"selector": {"matchLabels": {"app": "worker"}}, "template": template},
    }
    with metrics_api(cluster, namespace, tmp_path / "pki"):
        make(cluster, namespace, deployment, autoscaler)
        grown = "--for=jsonpath={.status.availableReplicas}=3"
        cluster.kubectl("wait", grown, "deployment/worker", "-n", namespace, "--timeout=60s")
        status = cluster.get("hpa", "worker", "-n", namespace)["status"]
        conditions = {one["type"]: one["status"] for one in status["conditions"]}
        assert conditions["ScalingActive"] == "True"
        assert conditions["ScaledToZero"] == "False"
        told = cluster.kubectl("describe", "hpa", "worker", "-n", namespace)
        assert "New size: 3; reason: external metric queue(nil) above target" in told


def test_a_cron_job_keeps_to_its_time_zone(cluster: LiveCluster, namespace: str) -> None:
    there = datetime.now(ZoneInfo(ZONE))
    hours = sorted({there.hour, (there + timedelta(minutes=2)).hour})
    cron_job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "zoned"},
        "spec": {
            "schedule": f"* {','.join(map(str, hours))} * * *",
            "timeZone": ZONE,
            "jobTemplate": {
                "spec": {
                    "template": {"spec": {**pod("c", BUSYBOX, "date")["spec"], "restartPolicy": "Never"}}
                }
            },
        },
    }
    make(cluster, namespace, cron_job)
    cluster.kubectl(
        *("wait", "--for=jsonpath={.status.lastSuccessfulTime}", "cronjob/zoned", "-n", namespace),
        "--timeout=90s",
    )
    job = cluster.get("jobs", "-n", namespace)["items"][0]
    at = job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert at.endswith("+05:30")
    assert datetime.fromisoformat(at).hour in hours


def test_a_taint_drives_away_who_does_not_bear_it(cluster: LiveCluster, namespace: str) -> None:
    bears = {"key": "trial", "operator": "Exists", "effect": "NoExecute"}
    pods = {
        "none": pod("none", BUSYBOX, "sleep", "3600"),
        "brief": pod("brief", BUSYBOX, "sleep", "3600", tolerations=[{**bears, "tolerationSeconds": 2}]),
        "any": pod("any", BUSYBOX, "sleep", "3600", tolerations=[bears]),
    }
    make(cluster, namespace, *pods.values())
    cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "-n", namespace, "--timeout=60s")
    cluster.kubectl("taint", "nodes", "--all", "trial=yes:NoExecute")
    try:
        gone = ("pod/none", "pod/brief", "-n", namespace, "--timeout=60s")
        cluster.kubectl("wait", "--for=delete", *gone)
        (left,) = cluster.get("pods", "-n", namespace)["items"]
        assert (left["metadata"]["name"], left["status"]["phase"]) == ("any", "Running")
    finally:
        cluster.kubectl("taint", "nodes", "--all", "trial:NoExecute-")
    told = cluster.get("events", "-n", namespace, "--field-selector=reason=TaintManagerEviction")["items"]
    assert {event["involvedObject"]["name"] for event in told} == {"none", "brief"}


def test_endpoints_somebody_writes_are_reached_by_their_service(cluster: LiveCluster, namespace: str) -> None:
    make(cluster, namespace, pod("web", NGINX))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "-n", namespace, "--timeout=60s")
    address = cluster.get("pod", "web", "-n", namespace)["status"]["podIP"]
    named = {"metadata": {"name": "by-hand"}, "apiVersion": "v1"}
    make(
        cluster,
        namespace,
        {**named, "kind": "Service", "spec": {"ports": [{"port": 80}]}},
        {
            **named,
            "kind": "Endpoints",
            "subsets": [{"addresses": [{"ip": address}], "ports": [{"port": 80}]}],
        },
    )
    selector = "--selector=kubernetes.io/service-name=by-hand"
    (piece,) = until(lambda: cluster.get("endpointslices", "-n", namespace, selector)["items"])
    manager = piece["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
    assert manager == "endpointslicemirroring-controller.k8s.io"
    service = cluster.get("service", "by-hand", "-n", namespace)["spec"]["clusterIP"]
    fetch = ["curl", "--silent", "--fail", "--max-time", "5", "--retry", "20", "--retry-connrefused"]
    done = subprocess.run([*fetch, f"http://{service}/"], capture_output=True, text=True, check=True)
    assert "nginx" in done.stdout
