"""Tables for what is pure and small: cgroups, DNS, hosts, credentials, security, back-off, clean-up."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.test_trees import make_deep
from tests.kubelet.builders import ended, make_pod, running, sandbox
from wherry.kit.backoff import BackOff
from wherry.kit.clock import FakeClock
from wherry.kubelet.cgroups import (
    PodCgroups,
    container_resources,
    cpu_quota_us,
    cpu_shares,
    pod_cgroup,
    pod_resources,
    qos_class,
)
from wherry.kubelet.credentials import (
    Credential,
    credentials_in_secrets,
    image_repository,
    matches,
)
from wherry.kubelet.dns import falls_back, pod_resolver, read_resolv_conf
from wherry.kubelet.gc import plan_removals
from wherry.kubelet.hosts import pod_hostname, render_host_network_hosts, render_hosts
from wherry.kubelet.images import is_reference, pull_policy
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.security import check_non_root, merge_security
from wherry.network.resolv_conf import Resolver, parse_resolv_conf
from wherry.objects.meta import Object

HOST = Resolver(["192.0.2.53"], ["example.org"], ["timeout:1"])


def web(**resources: Any) -> Object:
    return {"name": "web", "image": "i:1", "resources": resources}


FULL = {"cpu": "500m", "memory": "64Mi"}
QOS: list[tuple[Object, str]] = [
    (make_pod(web()), "BestEffort"),
    (make_pod(web(limits=FULL)), "Guaranteed"),
    (make_pod(web(limits=FULL, requests=FULL)), "Guaranteed"),
    (make_pod(web(limits=FULL, requests={"cpu": "1m"})), "Burstable"),
    (make_pod(web(limits=FULL), web()), "Burstable"),
    (make_pod(web(requests={"memory": "1Mi"})), "Burstable"),
]


@pytest.mark.parametrize(("pod", "expected"), QOS)
def test_qos(pod: Object, expected: str) -> None:
    assert qos_class(pod) == expected


def test_cgroup_paths() -> None:
    assert pod_cgroup("/kubepods-a", make_pod(web(limits=FULL))) == "/kubepods-a/podu1"
    assert pod_cgroup("/kubepods-a", make_pod(web(requests=FULL))) == "/kubepods-a/burstable/podu1"
    assert pod_cgroup("/kubepods-a", make_pod(web())) == "/kubepods-a/besteffort/podu1"


@pytest.mark.parametrize(("millis", "shares"), [(0, 2), (1, 2), (100, 102), (1000, 1024), (10**9, 262144)])
def test_shares(millis: int, shares: int) -> None:
    assert cpu_shares(millis) == shares


@pytest.mark.parametrize(("millis", "quota"), [(0, 0), (1, 1000), (500, 50000), (2000, 200000)])
def test_quota(millis: int, quota: int) -> None:
    assert cpu_quota_us(millis) == quota


GIB = 1024**3
OOM: list[tuple[Object, int]] = [
    (web(), 1000),
    (web(limits=FULL), -997),
    (web(requests={"memory": "1Gi"}), 750),
    (web(requests={"memory": "1Mi"}), 999),
    (web(requests={"memory": "4Gi"}), 3),
]


@pytest.mark.parametrize(("container", "score"), OOM)
def test_oom_score(container: Object, score: int) -> None:
    assert container_resources(make_pod(container), container, 4 * GIB).oom_score_adj == score


def test_oom_score_that_cannot_be_lowered() -> None:
    container = web(limits=FULL)
    assert container_resources(make_pod(container), container, 4 * GIB, 0).oom_score_adj == 0


def test_container_limits() -> None:
    container = web(limits=FULL, requests={"cpu": "250m"})
    found = container_resources(make_pod(container), container, 4 * GIB)
    assert (found.cpu_shares, found.cpu_quota_us, found.memory_limit_bytes) == (256, 50000, 64 * 1024**2)


def test_pod_limit_needs_all_containers() -> None:
    assert pod_resources(make_pod(web(limits=FULL), web(limits=FULL))).cpu_quota_us == 100000
    assert pod_resources(make_pod(web(limits=FULL), web())).cpu_quota_us == 0


def test_cgroups_are_made_and_removed(tmp_path: Path) -> None:
    for controller in ("cpu", "memory", "pids"):
        (tmp_path / controller).mkdir()
    cgroups = PodCgroups(tmp_path, "/kubepods-a", pids_limit=10)
    assert cgroups.create(make_pod(web(limits=FULL, requests={"cpu": "1"}))) == "/kubepods-a/burstable/podu1"
    directory = tmp_path / "cpu/kubepods-a/burstable/podu1"
    assert (directory / "cpu.shares").read_text() == "1024"
    assert (directory / "cpu.cfs_quota_us").read_text() == "50000"
    assert (tmp_path / "memory/kubepods-a/burstable/podu1/memory.limit_in_bytes").read_text() == "67108864"
    assert cgroups.uids() == {"u1"}
    for file in tmp_path.rglob("*.*"):
        file.unlink()  # a real cgroup's files go with it
    cgroups.remove("u1")
    assert cgroups.uids() == set()


DNS: list[tuple[Object, list[str], Resolver]] = [
    (
        make_pod(),
        ["10.96.0.10"],
        Resolver(
            ["10.96.0.10"],
            ["ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"],
            ["ndots:5"],
        ),
    ),
    (make_pod(), [], HOST),
    (make_pod(dnsPolicy="Default"), ["10.96.0.10"], HOST),
    (make_pod(hostNetwork=True), ["10.96.0.10"], HOST),
    (
        make_pod(dnsPolicy="None", dnsConfig={"nameservers": ["1.2.3.4"], "options": [{"name": "x"}]}),
        ["10.96.0.10"],
        Resolver(["1.2.3.4"], [], ["x"]),
    ),
    (
        make_pod(
            dnsPolicy="Default",
            dnsConfig={"searches": ["more"], "options": [{"name": "timeout", "value": "3"}]},
        ),
        [],
        Resolver(["192.0.2.53"], ["example.org", "more"], ["timeout:3"]),
    ),
]


@pytest.mark.parametrize(("pod", "servers", "expected"), DNS)
def test_resolver(pod: Object, servers: list[str], expected: Resolver) -> None:
    assert pod_resolver(pod, HOST, servers, "cluster.local") == expected


def test_fall_back_is_noticed() -> None:
    assert falls_back(make_pod(), [])
    assert not falls_back(make_pod(), ["10.96.0.10"])
    assert not falls_back(make_pod(hostNetwork=True), [])
    assert falls_back(make_pod(hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"), [])


def test_resolv_conf() -> None:
    text = "# c\nnameserver 1.1.1.1\nsearch a.\nsearch b c ; d\noptions ndots:2 rotate\n"
    assert parse_resolv_conf(text) == Resolver(["1.1.1.1"], ["b", "c"], ["ndots:2", "rotate"])


def test_a_node_that_gives_its_pods_no_resolver() -> None:
    assert read_resolv_conf(None) is None
    found = pod_resolver(make_pod(), None, ["10.96.0.10"], "cluster.local")
    assert found.searches == ["ns.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    assert pod_resolver(make_pod(dnsPolicy="Default"), None, [], "x") == Resolver(["127.0.0.1"], ["."], [])


def test_hosts_file() -> None:
    pod = make_pod(subdomain="sub", hostname="h", hostAliases=[{"ip": "1.2.3.4", "hostnames": ["a", "b"]}])
    text = render_hosts(pod, ["10.0.0.1"], "cluster.local")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.0.0.1\th.sub.ns.svc.cluster.local\th\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")
    assert render_host_network_hosts(make_pod(), "127.0.0.1 x\n").endswith("127.0.0.1 x\n")


def test_long_names_make_short_hostnames() -> None:
    pod = make_pod()
    pod["metadata"]["name"] = "a" * 62 + "-" + "b" * 10
    assert pod_hostname(pod) == "a" * 62


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1", "docker.io/library/nginx"),
        ("me/app@sha256:abc", "docker.io/me/app"),
        ("reg.example.org:5000/a/b:1", "reg.example.org:5000/a/b"),
        ("localhost/a", "localhost/a"),
    ],
)
def test_repositories(reference: str, repository: str) -> None:
    assert image_repository(reference) == repository


def secret(**auths: Object) -> Object:
    document = json.dumps({"auths": {k.replace("__", "/").replace("_", "."): v for k, v in auths.items()}})
    data = {".dockerconfigjson": base64.b64encode(document.encode()).decode()}
    return {"type": "kubernetes.io/dockerconfigjson", "data": data}


def test_credentials_of_the_longest_prefix() -> None:
    packed = base64.b64encode(b"user:pass").decode()
    secrets = [secret(reg_org={"username": "u", "password": "p"}), secret(reg_org__team={"auth": packed})]
    found = credentials_in_secrets("reg.org/team/app:1", secrets)
    assert [one.auth for one in found] == [
        {"username": "user", "password": "pass"},
        {"username": "u", "password": "p"},
    ]
    (other,) = credentials_in_secrets("reg.org/other", secrets)
    assert other.auth["username"] == "u"
    assert credentials_in_secrets("else.org/x", secrets) == []
    damaged = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "!"}}
    assert credentials_in_secrets("reg.org/x", [damaged]) == []
    assert credentials_in_secrets("reg.org/x", [{**secrets[0], "type": "Opaque"}]) == []
    (hub,) = credentials_in_secrets("nginx", [secret(**{"https://index.docker.io/v1/": {"auth": packed}})])
    assert hub.auth["username"] == "user"


@pytest.mark.parametrize(
    ("pattern", "repository", "is_match"),
    [
        ("*.example.com", "a.example.com/x", True),
        ("*.example.com", "b.a.example.com/x", False),
        ("*.*.example.com/team", "b.a.example.com/team/x", True),
        ("example.com:5000", "example.com:5000/x", True),
        ("example.com", "example.com:5000/x", False),
        ("example.com/team", "example.com/other", False),
        ("reg*.example.com", "registry.example.com/x", True),
    ],
)
def test_names_of_registries_with_wildcards(pattern: str, repository: str, is_match: bool) -> None:
    assert matches(pattern, repository) is is_match


def test_the_hash_of_credentials_is_that_of_go() -> None:
    known = Credential({"username": "u<&>", "password": "p\u2028é"})
    text = '{"username":"u\\u003c\\u0026\\u003e","password":"p\\u2028é"}'
    assert known.hash == hashlib.sha256(text.encode()).hexdigest()


NON_ROOT: list[tuple[Object, Image, str]] = [
    ({}, Image("1", (), 0, uid=0), ""),
    ({"runAsNonRoot": True, "runAsUser": 5}, Image("1", (), 0, uid=0), ""),
    ({"runAsNonRoot": True}, Image("1", (), 0, uid=5), ""),
    (
        {"runAsNonRoot": True, "runAsUser": 0},
        Image("1", (), 0),
        'container\'s runAsUser breaks non-root policy (pod: "p_ns(u1)", container: web)',
    ),
    (
        {"runAsNonRoot": True},
        Image("1", (), 0, uid=0),
        'container has runAsNonRoot and image will run as root (pod: "p_ns(u1)", container: web)',
    ),
    (
        {"runAsNonRoot": True},
        Image("1", (), 0, username="app"),
        (
            "container has runAsNonRoot and image has non-numeric user (app), "
            'cannot verify user is non-root (pod: "p_ns(u1)", container: web)'
        ),
    ),
]


@pytest.mark.parametrize(("security", "image", "message"), NON_ROOT)
def test_non_root(security: Object, image: Image, message: str) -> None:
    assert check_non_root(make_pod(), {"name": "web"}, security, image) == message


def test_containers_override_pods() -> None:
    pod = make_pod(
        securityContext={"runAsUser": 1, "fsGroup": 2, "seccompProfile": {"type": "RuntimeDefault"}}
    )
    merged = merge_security(pod, {"securityContext": {"runAsUser": 7, "privileged": True}})
    assert merged == {
        "runAsUser": 7,
        "fsGroup": 2,
        "seccompProfile": {"type": "RuntimeDefault"},
        "privileged": True,
    }


SECCOMP: list[tuple[Object, Object, bool, str]] = [
    ({}, {}, False, ""),
    ({}, {}, True, "RuntimeDefault"),
    ({"seccompProfile": {"type": "Unconfined"}}, {}, True, "Unconfined"),
    ({}, {"seccompProfile": {"type": "Localhost", "localhostProfile": "p"}}, True, "Localhost"),
    ({}, {"privileged": True}, True, ""),
]


@pytest.mark.parametrize(("of_pod", "of_container", "is_default", "profile"), SECCOMP)
def test_who_has_the_runtimes_seccomp_profile(
    of_pod: Object, of_container: Object, is_default: bool, profile: str
) -> None:
    merged = merge_security(
        make_pod(securityContext=of_pod), {"securityContext": of_container}, seccomp_default=is_default
    )
    assert (merged.get("seccompProfile") or {}).get("type", "") == profile


@pytest.mark.parametrize(
    ("container", "policy"),
    [
        ({"image": "a"}, "Always"),
        ({"image": "a:latest"}, "Always"),
        ({"image": "a:1"}, "IfNotPresent"),
        ({"image": "reg:5000/a"}, "Always"),
        ({"image": "a@sha256:x"}, "IfNotPresent"),
        ({"image": "a", "imagePullPolicy": "Never"}, "Never"),
    ],
)
def test_pull_policy(container: Object, policy: str) -> None:
    assert pull_policy(container) == policy


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("nginx", True),
        ("reg.example.org:5000/a/b_c--d:1.0", True),
        ("a@sha256:" + "0" * 64, True),
        ("sha256:" + "0" * 64, True),
        ("UPPER", False),
        ("a b", False),
        ("a:", False),
        ("", False),
    ],
)
def test_references(text: str, valid: bool) -> None:
    assert is_reference(text) is valid


async def test_back_off_doubles_and_forgets() -> None:
    clock = FakeClock()
    back_off = BackOff(clock)
    waits = []
    for _ in range(7):
        failed = clock.now()
        waits.append(back_off.remaining_s("k", failed))
        await clock.advance(waits[-1])
        back_off.advance("k", failed)
    assert waits == [0, 10, 20, 40, 80, 160, 300]
    await clock.advance(601)
    assert back_off.remaining_s("k", clock.now()) == 0


async def test_back_off_runs_from_the_failure() -> None:
    clock = FakeClock()
    back_off = BackOff(clock)
    back_off.advance("k", clock.now())
    assert back_off.remaining_s("k", clock.now() - timedelta(seconds=4)) == 6


async def test_back_off_when_the_clock_is_set_back() -> None:
    clock = FakeClock()
    back_off = BackOff(clock)
    ended = clock.now()
    back_off.advance("k", ended)
    clock.set_wall(ended - timedelta(hours=1))
    assert back_off.remaining_s("k", ended) == 10.0


def test_only_the_last_end_is_kept() -> None:
    containers = [
        running("web", 3),
        ended("web", 1, 2),
        ended("web", 1, 1),
        ended("web", 1, 0),
        ended("db", 0),
    ]
    found = plan_removals([sandbox()], containers)
    assert [(c.name, c.attempt) for c in found.containers] == [("web", 1), ("web", 0)]
    assert not found.sandboxes


def test_spent_sandboxes_go() -> None:
    boxes = [sandbox(2), sandbox(1, ready=False), sandbox(0, ready=False)]
    found = plan_removals(boxes, [running("web", 1, sandbox_id="s2"), ended("web", 0, 0, sandbox_id="s0")])
    assert [s.id for s in found.sandboxes] == ["s1"]


def test_cgroups_of_any_depth_go(tmp_path: Path) -> None:
    """A privileged container makes cgroups as it likes."""
    cgroups = PodCgroups(tmp_path, "/kubepods-a")
    (tmp_path / "cpu").mkdir()
    cgroups.create(make_pod(web()))
    make_deep(tmp_path / "cpu/kubepods-a/besteffort/podu1/own", ["a"] * 400)
    (tmp_path / "cpu/kubepods-a/besteffort/podu1/cpu.shares").unlink()  # a real cgroup's files go with it
    cgroups.remove("u1")
    assert cgroups.uids() == set()
