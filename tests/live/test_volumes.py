"""Volumes on real containers: what they show, and what is left of them when the node fails."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, NGINX, LiveCluster, kill_and_wait, until
from wherry.kit.mounts import MS_NODEV, MS_NOSUID, detach, mount, mounts_below

WAITS = ["sh", "-c", "trap exit TERM; while true; do sleep 0.1; done"]
VOLUMES: list[dict[str, Any]] = [
    {"name": "memory", "emptyDir": {"medium": "Memory"}},
    {"name": "disk", "emptyDir": {}},
    {"name": "settings", "configMap": {"name": "settings"}},
    {"name": "hush", "secret": {"secretName": "hush"}},
    {
        "name": "both",
        "projected": {
            "sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"configMap": {"name": "settings"}},
                {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            ]
        },
    },
    {"name": "image", "image": {"reference": NGINX, "pullPolicy": "IfNotPresent"}},
]


def manifest(name: str, volumes: list[dict[str, Any]], **container: Any) -> str:
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    mounts += container.pop("mounts", [])
    web = {"name": "web", "image": BUSYBOX, "command": WAITS, "volumeMounts": mounts, **container}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [web], "volumes": volumes, "terminationGracePeriodSeconds": 1},
        }
    )


def create(cluster: LiveCluster, namespace: str, text: str) -> str:
    """Create a pod; its uid."""
    return cluster.kubectl(
        "create", "-n", namespace, "-f", "-", "-o", "jsonpath={.metadata.uid}", stdin=text
    ).strip()


def ready(cluster: LiveCluster, namespace: str, name: str) -> None:
    cluster.kubectl("wait", f"pod/{name}", "-n", namespace, "--for=condition=Ready", "--timeout=60s")


def read(cluster: LiveCluster, namespace: str, name: str, script: str) -> str:
    return cluster.kubectl("exec", "-n", namespace, name, "--", "sh", "-c", script).strip()


def pod_dir(cluster: LiveCluster, uid: str) -> Path:
    return cluster.node_paths.kubelet / "pods" / uid


def views(cluster: LiveCluster) -> list[str]:
    """The images containerd keeps for volumes."""
    socket = cluster.node_paths.containerd_run / "containerd.sock"
    listed = subprocess.run(
        ["ctr", "--address", str(socket), "--namespace", "k8s.io", "snapshots", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in listed.stdout.splitlines() if "wherry/volume" in line]


def remains(cluster: LiveCluster, uid: str) -> list[str]:
    """What is left of a pod's volumes on the machine."""
    directory = pod_dir(cluster, uid)
    found = [str(point) for point in mounts_below((directory,), themselves=True)]
    found += [str(directory)] if directory.exists() else []
    return found + [view for view in views(cluster) if uid in view]


def delete(cluster: LiveCluster, namespace: str, name: str, uid: str) -> None:
    """Delete a pod and see that nothing stays."""
    cluster.kubectl("delete", "pod", name, "-n", namespace, "--timeout=60s")
    until(lambda: not remains(cluster, uid), 60.0)


@pytest.fixture
def objects(cluster: LiveCluster, namespace: str) -> str:
    """A namespace with a ConfigMap and a Secret."""
    cluster.kubectl("create", "configmap", "settings", "-n", namespace, "--from-literal=k=old")
    cluster.kubectl("create", "secret", "generic", "hush", "-n", namespace, "--from-literal=pw=secret")
    until(lambda: cluster.try_kubectl("get", "serviceaccount", "default", "-n", namespace).code == 0)
    return namespace


def test_every_kind_shows_what_it_says(cluster: LiveCluster, objects: str) -> None:
    uid = create(cluster, objects, manifest("all", VOLUMES))
    ready(cluster, objects, "all")
    shown = read(
        cluster,
        objects,
        "all",
        "cat /settings/k /hush/pw /both/k /both/name; test -s /both/token && echo; ls /image/usr/sbin/nginx; "
        "touch /memory/x /disk/x && echo written; touch /image/x 2>&1; df /memory | tail -1",
    ).splitlines()
    assert shown[:3] == ["oldsecretoldall", "/image/usr/sbin/nginx", "written"]
    assert "Read-only file system" in shown[3]
    assert shown[4].startswith("tmpfs")
    delete(cluster, objects, "all", uid)


def test_a_change_is_there_at_once_but_not_in_environment_and_sub_paths(
    cluster: LiveCluster, objects: str
) -> None:
    source = {"configMapKeyRef": {"name": "settings", "key": "k"}}
    text = manifest(
        "follows",
        [VOLUMES[2]],
        env=[{"name": "K", "valueFrom": source}],
        mounts=[{"name": "settings", "mountPath": "/alone", "subPath": "k"}],
    )
    uid = create(cluster, objects, text)
    ready(cluster, objects, "follows")
    for number in range(3):
        cluster.kubectl(
            *("patch", "configmap", "settings", "-n", objects, "-p", f'{{"data":{{"k":"new{number}"}}}}')
        )
        # A hundred looks in a second: upstream takes a minute.
        is_old = f'[ "$(cat /settings/k)" != new{number} ] && [ $i -lt 100 ]'
        look = f"i=0; while {is_old}; do i=$((i+1)); sleep 0.01; done"
        shown = read(cluster, objects, "follows", f'{look}; echo "$(cat /settings/k) $(cat /alone) $K"')
        assert shown == f"new{number} old old"
    delete(cluster, objects, "follows", uid)


def test_variables_an_init_container_wrote(cluster: LiveCluster, namespace: str) -> None:
    until(lambda: cluster.try_kubectl("get", "serviceaccount", "default", "-n", namespace).code == 0)
    pod = json.loads(manifest("env", [{"name": "data", "emptyDir": {}}]))
    source = {"fileKeyRef": {"path": "config.env", "volumeName": "data", "key": "DB_ADDRESS"}}
    (web,) = pod["spec"]["containers"]
    write = ["sh", "-c", "echo \"DB_ADDRESS='an address'\" > /data/config.env"]
    pod["spec"]["initContainers"] = [{**web, "name": "writes", "command": write}]
    pod["spec"]["containers"] = [
        {"name": "web", "image": BUSYBOX, "command": WAITS, "env": [{"name": "A", "valueFrom": source}]}
    ]
    uid = create(cluster, namespace, json.dumps(pod))
    ready(cluster, namespace, "env")
    assert read(cluster, namespace, "env", "echo $A") == "an address"
    delete(cluster, namespace, "env", uid)


UP: list[tuple[str, Callable[[Path], bool]]] = [
    ("record", lambda pod: any(pod.glob("volume-records/memory.json"))),
    ("mount", lambda pod: any("~empty-dir" in str(p) for p in mounts_below((pod,)))),
    ("image", lambda pod: any("~image" in str(p) for p in mounts_below((pod,)))),
    ("sub-path", lambda pod: any("volume-subpaths" in str(p) for p in mounts_below((pod,)))),
]
DOWN: list[tuple[str, Callable[[Path], bool]]] = [
    ("sub-path", lambda pod: not any("volume-subpaths" in str(p) for p in mounts_below((pod,)))),
    ("mounts", lambda pod: not mounts_below((pod,))),
    ("directory", lambda pod: not pod.exists()),
]


def test_an_agent_killed_at_each_step_leaves_nothing(cluster: LiveCluster, objects: str) -> None:
    """One pod per step on the way up; each is taken down with a kill at a step on the way down."""
    sub_path = {"name": "disk", "mountPath": "/part", "subPath": "a/b"}
    for number, (_, is_there) in enumerate(UP):
        name = f"killed-{number}"
        pid_before = cluster.pid("agent")
        uid = ""

        def begin(name: str = name) -> bool:
            nonlocal uid
            uid = uid or create(cluster, objects, manifest(name, VOLUMES, mounts=[sub_path]))
            return is_there(pod_dir(cluster, uid))  # noqa: B023 - called in this round alone

        kill_and_wait(cluster, "agent", begin)
        assert cluster.pid("agent") != pid_before
        ready(cluster, objects, name)
        status = cluster.get("pod", name, "-n", objects)["status"]["containerStatuses"][0]
        assert status["restartCount"] == 0
        assert read(cluster, objects, name, "cat /settings/k; touch /part/x && echo fine") == "oldfine"
        directory = pod_dir(cluster, uid)
        cluster.kubectl("delete", "pod", name, "-n", objects, "--wait=false")
        is_gone = DOWN[number % len(DOWN)][1]
        kill_and_wait(cluster, "agent", lambda: is_gone(directory))  # noqa: B023
        cluster.kubectl("wait", f"pod/{name}", "-n", objects, "--for=delete", "--timeout=60s")
        until(lambda uid=uid: not remains(cluster, uid), 60.0)  # type: ignore[misc]
    assert views(cluster) == []


@contextmanager
def silent_server(directory: Path) -> Iterator[Callable[[], None]]:
    """A FUSE file system whose server never answers; what is called makes the server go away."""
    device = directory / "fuse"
    os.mknod(device, 0o600 | 0o020000, os.makedev(10, 229))
    opened = [os.open(device, os.O_RDWR | os.O_CLOEXEC)]
    target = directory / "hung"
    target.mkdir()
    options = f"fd={opened[0]},rootmode=40000,user_id=0,group_id=0,allow_other"
    mount("hung", target, "fuse", MS_NOSUID | MS_NODEV, options)

    def end() -> None:
        if opened:
            os.close(opened.pop())

    try:
        yield end
    finally:
        end()
        detach(target)


def test_a_server_that_is_silent_hurts_its_pod_alone(
    cluster: LiveCluster, namespace: str, tmp_path: Path
) -> None:
    until(lambda: cluster.try_kubectl("get", "serviceaccount", "default", "-n", namespace).code == 0)
    with silent_server(tmp_path) as end:
        volume = {"name": "v", "hostPath": {"path": str(tmp_path / "hung"), "type": "Directory"}}
        uid = create(cluster, namespace, manifest("hung", [volume]))
        until(lambda: any(pod_dir(cluster, uid).glob("volume-records/v.json")))
        other = create(cluster, namespace, manifest("other", [VOLUMES[0]]))
        ready(cluster, namespace, "other")
        delete(cluster, namespace, "other", other)
        (node,) = cluster.get("nodes")["items"]
        assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
        status = cluster.get("pod", "hung", "-n", namespace)["status"]
        assert "running" not in status["containerStatuses"][0]["state"]
        # An agent that comes after finds it hanging still, and others' pods go on.
        kill_and_wait(cluster, "agent")
        other = create(cluster, namespace, manifest("again", [VOLUMES[0]]))
        ready(cluster, namespace, "again")
        end()
        until(lambda: "is not a directory" in cluster.kubectl("get", "events", "-n", namespace))
        delete(cluster, namespace, "again", other)
    delete(cluster, namespace, "hung", uid)


@pytest.mark.parametrize("what", ["size=4m", "size=64m,nr_inodes=400"])
def test_a_full_folder_of_volumes(cluster: LiveCluster, objects: str, tmp_path: Path, what: str) -> None:
    """Neither bytes nor inodes are left where volumes lie: it is said, and over when there is room again."""
    pods = cluster.node_paths.kubelet / "pods"
    pods.mkdir(exist_ok=True)
    until(lambda: not mounts_below((pods,)), 60.0, lambda: "pods of other tests keep mounts")
    mount("full", pods, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=0700,{what}")
    try:
        filler = pods / "filler"
        filler.mkdir()
        _fill(filler)
        cluster.kubectl(
            *("patch", "configmap", "settings", "-n", objects),
            *("-p", json.dumps({"data": {"large": "x" * 100_000}})),
        )
        uid = create(cluster, objects, manifest("full", VOLUMES[:5]))
        until(lambda: "No space left on device" in cluster.kubectl("get", "events", "-n", objects))
        for file in filler.iterdir():
            file.unlink()
        filler.rmdir()
        ready(cluster, objects, "full")
        delete(cluster, objects, "full", uid)
        assert list(pods.iterdir()) == []
    finally:
        detach(pods)


def _fill(directory: Path) -> None:
    """Leave no room for anything: first the bytes or the inodes, whichever end first."""

    def more() -> None:
        for number in itertools.count():
            (directory / str(number)).write_bytes(b"x" * 65536)

    with pytest.raises(OSError, match="No space left on device"):
        more()
