"""What pods may do to a real node, and what they may not."""

from __future__ import annotations

import json
from typing import Any

from tests.live.cluster import BUSYBOX, LiveCluster, until

DEEP = "cd {0} && i=0; while [ $i -lt 1200 ]; do mkdir a && cd a || exit 1; i=$((i+1)); done"
LONG = (
    "cd {0} && n=$(printf %0200d 0) && i=0; "
    "while [ $i -lt 20 ]; do mkdir $n && cd $n || exit 1; i=$((i+1)); done"
)


def run(cluster: LiveCluster, namespace: str, name: str, command: str, **spec: Any) -> None:
    """A pod whose one container runs `command` in a shell and then waits."""
    container = {
        "name": "main",
        "image": BUSYBOX,
        "command": ["sh", "-c", f"trap exit TERM; {command} && echo done; sleep 3600 & wait"],
        **spec.pop("container", {}),
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container], **spec},
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(pod))


def said(cluster: LiveCluster, namespace: str, name: str) -> str:
    """What the pod said, once it is done."""
    cluster.kubectl("wait", "pod", name, "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    text = until(lambda: (t := cluster.kubectl("logs", name, "-n", namespace)).endswith("done\n") and t)
    return str(text)


def test_a_privileged_container_may_mount(cluster: LiveCluster, namespace: str) -> None:
    privileged = {"securityContext": {"privileged": True}}
    run(cluster, namespace, "p", "mkdir /m && mount -t tmpfs none /m", container=privileged)
    assert said(cluster, namespace, "p") == "done\n"


def test_anybody_in_a_pod_can_read_what_is_for_all(cluster: LiveCluster, namespace: str) -> None:
    """The cluster was started under the strictest umask there is."""
    user = {"securityContext": {"runAsUser": 65534}}
    run(cluster, namespace, "p", "stat -c %a / /etc/resolv.conf /etc/hosts", **user)
    assert said(cluster, namespace, "p") == "755\n644\n644\ndone\n"


def test_trees_of_any_shape_go_with_their_pod(cluster: LiveCluster, namespace: str) -> None:
    command = " && ".join(f"({shape.format(place)})" for shape in (DEEP, LONG) for place in ("/v", "/tmp"))
    run(
        cluster,
        namespace,
        "p",
        f"mkdir -p /tmp && {command}",
        container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    said(cluster, namespace, "p")
    uid = cluster.get("pod", "p", "-n", namespace)["metadata"]["uid"]
    cluster.kubectl("delete", "pod", "p", "-n", namespace, "--timeout=60s")
    paths = cluster.node_paths
    until(lambda: not (paths.kubelet / "pods" / uid).exists())
    until(lambda: not list(paths.pod_logs.glob(f"*_{uid}")))


def test_unsafe_sysctls_are_refused(cluster: LiveCluster, namespace: str) -> None:
    sysctls = {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}}
    run(cluster, namespace, "p", "true", **sysctls)
    status = until(lambda: (s := cluster.get("pod", "p", "-n", namespace)["status"]).get("reason") and s)
    assert (status["phase"], status["reason"]) == ("Failed", "SysctlForbidden")


def test_a_runtime_that_is_not_there_is_no_other(cluster: LiveCluster, namespace: str) -> None:
    name = f"{namespace}-gvisor"
    runtime_class = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": name},
        "handler": "gvisor",
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(runtime_class))
    try:
        run(cluster, namespace, "p", "true", runtimeClassName=name)
        about = ("events", "-n", namespace, "--field-selector=reason=FailedCreatePodSandBox")
        event = until(lambda: (cluster.get(*about)["items"] or [None])[0])
        assert 'no runtime for "gvisor" is configured' in event["message"]
    finally:
        cluster.kubectl("delete", "runtimeclass", name)
