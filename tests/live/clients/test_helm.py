"""Helm 4 through the life of a release: a chart with values, hooks and a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, NGINX, Done, LiveCluster, client_program

TEMPLATES = {
    "deployment.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: {{ .Values.image }}
          ports: [{containerPort: 80}]
          readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
          env: [{name: COLOR, value: {{ .Values.color | quote }}}]
""",
    "service.yaml": """
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80}]
""",
    "hook.yaml": """
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-before
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  containers:
    - {name: main, image: {{ .Values.box }}, command: [echo, "{{ .Release.Revision }}"]}
""",
    "check.yaml": """
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-check
  annotations: {helm.sh/hook: test, helm.sh/hook-delete-policy: before-hook-creation}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: {{ .Values.box }}
      command: [wget, -q, -O, "-", "http://$({{ upper .Release.Name }}_SERVICE_HOST)/"]
""",
    "NOTES.txt": "Served in {{ .Values.color }}.\n",
}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart with one Deployment, its Service, a hook before changes and a test."""
    directory = tmp_path / "front"
    (directory / "templates").mkdir(parents=True)
    chart = {"apiVersion": "v2", "name": "front", "version": "0.1.0", "appVersion": "1.22"}
    (directory / "Chart.yaml").write_text(json.dumps(chart))
    values = {"replicas": 1, "image": NGINX, "box": BUSYBOX, "color": "blue"}
    (directory / "values.yaml").write_text(json.dumps(values))
    for name, text in TEMPLATES.items():
        (directory / "templates" / name).write_text(text)
    return directory


class Helm:
    """Helm in one namespace, with its files apart from the user's."""

    def __init__(self, cluster: LiveCluster, namespace: str, home: Path) -> None:
        self.cluster = cluster
        self._flags = (
            f"--namespace={namespace}",
            f"--registry-config={home}/r",
            f"--repository-cache={home}",
        )

    def attempt(self, *arguments: str) -> Done:
        """Run helm, whatever comes of it."""
        return self.cluster.try_kubectl(*arguments, *self._flags, program=client_program("helm"))

    def __call__(self, *arguments: str) -> str:
        done = self.attempt(*arguments)
        assert done.code == 0, f"helm {' '.join(arguments)}: {done.out}\n{done.err}"
        return done.out

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self(*arguments, "-o", "json"))


@pytest.fixture
def helm(cluster: LiveCluster, namespace: str, tmp_path: Path) -> Helm:
    return Helm(cluster, namespace, tmp_path)


@pytest.fixture
def release(helm: Helm, chart: Path) -> Iterator[str]:
    """The chart installed as release `front`, its pods ready."""
    said = helm("install", "front", str(chart), "--wait", "--timeout=90s")
    assert "STATUS: deployed" in said
    assert "Served in blue." in said
    yield "front"
    helm("uninstall", "front", "--ignore-not-found")


def color(cluster: LiveCluster, namespace: str) -> str:
    found = cluster.get("deployment", "front", "-n", namespace)
    value: str = found["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    return value


def test_install(helm: Helm, release: str, cluster: LiveCluster, namespace: str) -> None:
    """`install --wait`: the hook runs before, all is ready after; `list` and `status` tell."""
    assert cluster.get("deployment", release, "-n", namespace)["status"]["readyReplicas"] == 1
    assert cluster.kubectl("logs", f"{release}-before", "-n", namespace) == "1\n"
    (listed,) = helm.json("list")
    assert (listed["name"], listed["revision"], listed["status"]) == (release, "1", "deployed")
    assert helm.json("status", release)["info"]["status"] == "deployed"
    assert "kind: Service" in helm("get", "manifest", release)
    assert helm.json("get", "values", release, "--all")["color"] == "blue"


def test_upgrade_and_rollback(
    helm: Helm, release: str, chart: Path, cluster: LiveCluster, namespace: str
) -> None:
    """`upgrade --set`, `rollback`, and both in `history`."""
    helm("upgrade", release, str(chart), "--set=color=green,replicas=2", "--wait", "--timeout=90s")
    assert color(cluster, namespace) == "green"
    assert cluster.get("deployment", release, "-n", namespace)["status"]["readyReplicas"] == 2
    assert cluster.kubectl("logs", f"{release}-before", "-n", namespace) == "2\n"
    helm("rollback", release, "1", "--wait", "--timeout=90s")
    assert color(cluster, namespace) == "blue"
    assert cluster.get("deployment", release, "-n", namespace)["spec"]["replicas"] == 1
    history = helm.json("history", release)
    assert [(item["revision"], item["status"]) for item in history] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]


def test_failed_upgrade(helm: Helm, release: str, chart: Path, cluster: LiveCluster, namespace: str) -> None:
    """`upgrade --rollback-on-failure` to an image nobody has goes back by itself."""
    failed = helm.attempt(
        *("upgrade", release, str(chart), "--set=image=no-such.invalid/image:1"),
        *("--rollback-on-failure", "--wait", "--timeout=4s"),
    )
    assert failed.code == 1
    assert [item["status"] for item in helm.json("history", release)] == [
        "superseded",
        "failed",
        "deployed",
    ]
    containers = cluster.get("deployment", release, "-n", namespace)["spec"]["template"]["spec"]["containers"]
    assert containers[0]["image"] == NGINX


def test_test(helm: Helm, release: str) -> None:
    """`test --logs`: a pod reaches the Service."""
    said = helm("test", release, "--logs", "--timeout=60s")
    assert "Phase:          Succeeded" in said
    assert "nginx" in said


def test_uninstall(helm: Helm, release: str, cluster: LiveCluster, namespace: str) -> None:
    """`uninstall --wait` takes everything but hooks along."""
    assert 'release "front" uninstalled' in helm("uninstall", release, "--wait", "--timeout=60s")
    assert cluster.get("deployments,services", "-n", namespace)["items"] == []
    assert helm.json("list") == []


def test_server_dry_run(helm: Helm, chart: Path, cluster: LiveCluster, namespace: str) -> None:
    """`lint`, `template`, and `install --dry-run=server`, which leaves nothing behind."""
    assert "0 chart(s) failed" in helm("lint", str(chart))
    assert 'value: "red"' in helm("template", "front", str(chart), "--set=color=red", "--validate")
    helm("install", "front", str(chart), "--dry-run=server")
    assert cluster.get("deployments", "-n", namespace)["items"] == []
