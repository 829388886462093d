"""Names in a real cluster: of Services, their endpoints and pods, from pods and from the node itself."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.live.cluster import NGINX, LiveCluster, until

DNS_PORT = 53


ASKER = "example.org/asker:1"


@pytest.fixture(scope="module")
def asker(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that asks as C programs do: busybox is static, and has no resolver but nslookup's."""
    archive = tmp_path_factory.mktemp("asker") / "asker.tar"
    cluster.wherry("image", "pack", "libc-bin", "busybox-static", "--name", ASKER, "--output", str(archive))
    cluster.wherry("image", "load", str(archive))
    return ASKER


@pytest.fixture
def shell(cluster: LiveCluster, namespace: str, asker: str) -> str:
    """A pod to ask from."""
    cluster.kubectl("run", "shell", "-n", namespace, f"--image={asker}", "--command", "--", "sleep", "100000")
    cluster.kubectl("wait", "pod/shell", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    return namespace


def run(cluster: LiveCluster, namespace: str, script: str) -> str:
    return cluster.kubectl("exec", "-n", namespace, "shell", "--", "sh", "-c", script)


def test_pods_find_services_by_name(cluster: LiveCluster, shell: str) -> None:
    known = cluster.get("service", "kube-dns", "-n", "kube-system")["spec"]["clusterIP"]
    assert known.endswith(".0.10")
    conf = run(cluster, shell, "cat /etc/resolv.conf").splitlines()
    assert f"nameserver {known}" in conf
    assert conf[0].startswith(f"search {shell}.svc.cluster.local svc.cluster.local cluster.local"), conf
    cluster.kubectl("create", "deployment", "web", "-n", shell, f"--image={NGINX}", "--replicas=2")
    cluster.kubectl("expose", "deployment", "web", "-n", shell, "--port=80")
    cluster.kubectl("rollout", "status", "deployment/web", "-n", shell, "--timeout=90s")
    address = cluster.get("service", "web", "-n", shell)["spec"]["clusterIP"]
    for name in ("web", f"web.{shell}", f"web.{shell}.svc", f"web.{shell}.svc.cluster.local"):
        assert run(cluster, shell, f"getent hosts {name}").split()[0] == address, name
    headless = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "each"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
    }
    cluster.kubectl("apply", "-n", shell, "-f", "-", stdin=json.dumps(headless))
    pods = cluster.get("pods", "-n", shell, "-l", "app=web")["items"]
    addresses = {pod["status"]["podIP"] for pod in pods}
    name = f"each.{shell}.svc.cluster.local"
    until(lambda: addresses <= set(run(cluster, shell, f"getent ahostsv4 {name} || true").split()))
    assert run(cluster, shell, f"getent hosts nobody.{shell} || echo none") == "none\n"


def test_the_node_finds_them_too_and_nothing_is_tracked(cluster: LiveCluster) -> None:
    known = cluster.get("service", "kube-dns", "-n", "kube-system")["spec"]["clusterIP"]
    first = cluster.get("service", "kubernetes")["spec"]["clusterIP"]
    page = subprocess.run(
        ["curl", "-sf", f"http://{known}:9153/metrics"], capture_output=True, text=True, check=True
    ).stdout
    assert "coredns_dns_requests_total" in page
    done = subprocess.run(
        ["conntrack", "-L", "-p", "udp", "--orig-dst", known], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert first != known
