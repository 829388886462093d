"""A cluster amid what machines do to it: networks that change, firewalls, other people's rules.

Each test's cluster lies in network and mount namespaces of its own, so that nothing it does to them
reaches the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import (
    BUSYBOX,
    NGINX,
    POD_RANGE,
    SERVICE_RANGE,
    SLOT,
    LiveCluster,
    kill_and_wait,
    slot_flags,
    until,
)
from tests.live.machine import footprint
from tests.live.surroundings import Surroundings, surroundings
from tests.timing import PATIENCE_S

GATEWAY = f"{POD_RANGE}.1"


@pytest.fixture
def around() -> Iterator[Surroundings]:
    assert os.geteuid() == 0, "live tests need root"
    directory = Path("/tmp") / f"wherry-around-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    with surroundings(directory) as made:
        yield made
    directory.rmdir()


@contextmanager
def cluster_in(around: Surroundings, images: dict[str, Path], *flags: str) -> Iterator[LiveCluster]:
    """A running cluster in there with both images; at the end nothing of it is left."""
    directory = Path("/tmp") / f"wherry-live-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    made = LiveCluster(
        directory=directory, name=f"around{SLOT}", flags=(*slot_flags(SLOT), *flags), inside=around.inside
    )
    try:
        made.up()
        for archive in images.values():
            made.wherry("image", "load", str(archive))
        yield made
        made.wherry("delete")
        assert footprint(made.marks, around.inside).found() == {}
        shutil.rmtree(directory)
    except BaseException:
        made.try_wherry("down")  # the data stays for a look at the logs
        raise


def run_pod(cluster: LiveCluster, name: str, image: str, command: str = "", **spec: Any) -> None:
    """Make a pod and wait until it is ready."""
    container: dict[str, Any] = {"name": "c", "image": image, **spec.pop("container", {})}
    if command:
        container["command"] = ["sh", "-c", command]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], **spec},
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    cluster.kubectl("wait", "pod", name, "--for=condition=Ready", "--timeout=60s")


def internal_ip(cluster: LiveCluster) -> str:
    addresses = cluster.get("node", "live")["status"]["addresses"]
    found: str = next(a["address"] for a in addresses if a["type"] == "InternalIP")
    return found


def goes_by(cluster: LiveCluster, address: str) -> bool:
    """Whether the node and its pod `own` have the address."""
    own: str = cluster.get("pod", "own")["status"]["podIP"]
    return internal_ip(cluster) == own == address


def test_a_laptop_changes_networks(around: Surroundings, images: dict[str, Path]) -> None:
    """No network at start, then one, then another: logs and exec work, and no container is restarted."""
    with cluster_in(around, images, "--api-host=0.0.0.0") as cluster:
        assert internal_ip(cluster) == GATEWAY
        run_pod(cluster, "own", BUSYBOX, "echo here; sleep infinity", hostNetwork=True)
        before = cluster.get("pod", "own")["status"]
        assert before["podIP"] == GATEWAY
        for address in ("192.0.2.10", "198.51.100.20"):
            around.connect(address)
            until(partial(goes_by, cluster, address))
            assert cluster.kubectl("logs", "own") == "here\n"
            assert cluster.kubectl("exec", "own", "--", "echo", "inside") == "inside\n"
            # From another machine: the certificate covers the new address.
            served = around.run(
                *("curl", "--silent", "--max-time", "10", f"https://{address}:{16443 + SLOT}/version"),
                *("--cacert", str(cluster.directory / "data" / cluster.name / "pki" / "ca.crt")),
            )
            assert '"v1.37' in served
        after = cluster.get("pod", "own")["status"]
        assert after["containerStatuses"] == before["containerStatuses"]
        assert after["hostIPs"] == after["podIPs"] == [{"ip": "198.51.100.20"}]


def test_a_cluster_of_this_machine_alone_does_not_notice(
    around: Surroundings, images: dict[str, Path]
) -> None:
    around.connect("192.0.2.10")
    with cluster_in(around, images) as cluster:
        assert internal_ip(cluster) == GATEWAY
        run_pod(cluster, "web", NGINX)
        around.disconnect()
        assert cluster.kubectl("exec", "web", "--", "echo", "inside") == "inside\n"
        around.connect("198.51.100.20")
        assert cluster.kubectl("exec", "web", "--", "echo", "inside") == "inside\n"
        assert internal_ip(cluster) == GATEWAY


HOST_PORT = 8088
CURL = ("curl", "--silent", "--max-time", "2")


def serve_and_ask(cluster: LiveCluster) -> str:
    """A web server with Service, probe and host port, and a pod `client` to ask it; the Service's address."""
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 2}
    ports = [{"containerPort": 80, "hostPort": HOST_PORT}]
    run_pod(cluster, "web", NGINX, container={"ports": ports, "readinessProbe": probe})
    run_pod(cluster, "client", BUSYBOX, "sleep infinity")
    cluster.kubectl("expose", "pod", "web", "--port=80")
    address: str = cluster.get("service", "web")["spec"]["clusterIP"]
    return address


def gets(cluster: LiveCluster, address: str) -> bool:
    """Whether the pod `client` gets a page."""
    ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 80"
    return "nginx" in cluster.try_kubectl("exec", "client", "--", "sh", "-c", ask).out


def troubles(around: Surroundings, cluster: LiveCluster, service: str) -> list[str]:
    """What does not work of: pods to Services and to the API server, others to host ports, probes to pods."""
    api = f"nc -w 2 {SERVICE_RANGE}.0.1 443 < /dev/null && echo open"
    checks = {
        "host port": "nginx" in around.attempt(*CURL, f"http://192.0.2.10:{HOST_PORT}/"),
        "service": gets(cluster, service),
        "API server": "open" in cluster.try_kubectl("exec", "client", "--", "sh", "-c", api).out,
        "probe": cluster.get("pod", "web")["status"]["containerStatuses"][0]["ready"],
        "masquerade": f"-s {POD_RANGE}.0/24 -j MASQUERADE" in around.run("iptables-save", "-t", "nat"),
    }
    return [name for name, works in checks.items() if not works]


def until_all_works(
    around: Surroundings, cluster: LiveCluster, service: str, timeout_s: float = PATIENCE_S
) -> None:
    found: list[str] = []

    def works() -> bool:
        found[:] = troubles(around, cluster, service)
        return not found

    try:
        until(works, timeout_s)
    except AssertionError:
        raise AssertionError(f"not within {timeout_s} s: {found}") from None


def test_amid_a_firewall_that_drops_and_is_flushed(around: Surroundings, images: dict[str, Path]) -> None:
    """As ufw has it: what is not accepted is dropped, and each reload takes other people's rules away."""
    around.connect("192.0.2.10")
    policies = (
        *("-P INPUT DROP", "-P FORWARD DROP", "-A INPUT -i lo -j ACCEPT"),
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    )
    for rule in policies:
        around.run("iptables", *rule.split())
    before = [around.run("iptables", "-S", chain) for chain in ("INPUT", "FORWARD", "OUTPUT")]
    with cluster_in(around, images) as cluster:
        service = serve_and_ask(cluster)
        until_all_works(around, cluster, service)
        for flush in (
            "iptables -F",
            "iptables -t nat -F",
            "iptables -t nat -F PREROUTING",
            "nft flush ruleset",
        ):
            around.run(*flush.split())
            if "ruleset" not in flush and "nat" not in flush:  # as ufw and people do, theirs first
                for rule in policies:
                    around.run("iptables", *rule.split())
            until_all_works(around, cluster, service)
        for rule in policies:
            around.run("iptables", *rule.split())
        kill_and_wait(cluster, "agent")
        assert troubles(around, cluster, service) == []
        around.run("nft", "flush", "ruleset")
        until_all_works(around, cluster, service)
        for rule in policies:
            around.run("iptables", *rule.split())
        until_all_works(around, cluster, service)
        assert cluster.status()["warnings"] == []
        assert all(
            status["restartCount"] == 0
            for pod in cluster.get("pods")["items"]
            for status in pod["status"]["containerStatuses"]
        )
    assert [around.run("iptables", "-S", chain) for chain in ("INPUT", "FORWARD", "OUTPUT")] == before


FIREWALLD = """
table inet firewalld {
  chain filter_INPUT { type filter hook input priority filter + 10; policy accept;
    ct state { established, related } accept
    iifname "lo" accept
    jump zones
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    jump zones
    reject with icmpx admin-prohibited
  }
  chain zones {
  }
}
"""


def test_amid_a_ruleset_that_cannot_be_opened_from_here(
    around: Surroundings, images: dict[str, Path]
) -> None:
    """An accept in one base chain does not save from a drop in another: it is said who drops."""
    around.connect("192.0.2.10")
    around.run("nft", "-f", "-", stdin=FIREWALLD)
    with cluster_in(around, images) as cluster:
        said = cluster.up()
        for chain in ("filter_INPUT", "filter_FORWARD"):
            assert f"nftables chain inet firewalld {chain}" in said
            assert f"nftables chain inet firewalld {chain}" in cluster.wherry("status")
        assert f"--zone=trusted --add-source={POD_RANGE}.0/24" in said
        service = serve_and_ask(cluster)
        assert "API server" in troubles(around, cluster, service)
        around.run("nft", f"insert rule inet firewalld zones ip saddr {POD_RANGE}.0/24 accept")
        assert troubles(around, cluster, service) == [], "after what was advised"
        assert cluster.status()["warnings"] == []
