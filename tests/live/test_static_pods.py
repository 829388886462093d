"""Static pods on real containers: without an API server, then with one, through a crash of the agent."""

from __future__ import annotations

import json
from pathlib import Path

from tests.live.alone import stopped
from tests.live.cluster import BUSYBOX, LiveCluster, until


def test_a_static_pod_through_all_of_it(cluster: LiveCluster, tmp_path: Path) -> None:
    folder, out = tmp_path / "manifests", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    began = out / "began"
    command = "trap exit TERM; echo started >> /out/began; echo hello; sleep 3600 & wait"
    container = {
        "name": "main",
        "image": BUSYBOX,
        "command": ["sh", "-c", command],
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "static"},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "out", "hostPath": {"path": str(out)}}],
            "terminationGracePeriodSeconds": 3,
        },
    }
    file = folder / "static.yaml"
    file.write_text(json.dumps(manifest))

    def starts() -> int:
        return began.read_text().count("started") if began.exists() else 0

    with stopped(cluster, tmp_path) as alone:
        name = f"static-{alone.setup.node.name}"
        manifests = f"--pod-manifest-path={folder}"
        alone.start("kubelet", *alone.kubelet_flags(), manifests)
        until(lambda: starts() == 1)
        alone.kill()

        alone.start("apiserver", f"--data-dir={cluster.paths.data}")
        alone.start("kubelet", alone.kubeconfig("kubelet"), *alone.kubelet_flags(), manifests)
        until(lambda: "pod/" in cluster.kubectl("get", "pod", name, "-o", "name", "--ignore-not-found"))
        cluster.kubectl("wait", "pod", name, "--for=condition=Ready", "--timeout=60s")
        assert cluster.kubectl("logs", name) == "hello\n"
        first = cluster.get("pod", name)
        assert first["status"]["containerStatuses"][0]["restartCount"] == 0

        cluster.kubectl("delete", "pod", name, "--wait=false")
        until(lambda: _uid(cluster, name) not in ("", first["metadata"]["uid"]))
        cluster.kubectl("wait", "pod", name, "--for=condition=Ready", "--timeout=60s")
        assert cluster.kubectl("exec", name, "--", "cat", "/out/began") == "started\n"
        assert starts() == 1

        file.unlink()
        until(lambda: not _uid(cluster, name))
        until(
            lambda: not list((alone.node.paths.kubelet / "pods").glob(first["metadata"]["annotations"][HASH]))
        )


HASH = "kubernetes.io/config.hash"


def _uid(cluster: LiveCluster, name: str) -> str:
    return cluster.kubectl("get", "pod", name, "-o", "jsonpath={.metadata.uid}", "--ignore-not-found").strip()
