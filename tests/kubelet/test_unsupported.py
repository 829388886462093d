"""Nothing a pod asks for is dropped silently: it is done, refused in upstream's words, or others' work."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

import wherry.kubelet
from tests.conftest import eventually
from tests.kubelet.builders import make_pod
from tests.kubelet.rig import Node, node
from tools.pod_fields import CORE, PAGE, WITHOUT_PLUGIN, fields_of, with_table
from wherry.api.node.runtime_classes import RUNTIME_CLASSES
from wherry.kubelet.admission import find_objection
from wherry.kubelet.environment import ConfigFailure
from wherry.kubelet.runtimes.runtime import HandlerFeatures
from wherry.kubelet.sysctls import find_forbidden, is_namespaced
from wherry.kubelet.unsupported import ELSEWHERE, REFUSED
from wherry.kubelet.workers.container import is_recursive_read_only
from wherry.objects.meta import Object

ROOM = {"pods": "110", "cpu": "2", "memory": "4Gi"}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


def test_every_field_is_read_refused_or_somebody_elses() -> None:
    package = Path(wherry.kubelet.__file__).parent
    texts = [file.read_text() for file in package.rglob("*.py") if file.name != "fake.py"]
    read = set(re.findall(r'"(\w+)"', "\n".join(texts)))
    everything = set(fields_of(f"{CORE}PodSpec"))
    assert len(everything) > 200
    told = ELSEWHERE.keys() | REFUSED.keys() | {f"Volume.{field}" for field in WITHOUT_PLUGIN}
    dropped = sorted(f"{kind}.{field}" for kind, field in everything if field not in read)
    assert [name for name in dropped if name not in told] == []
    assert told <= {f"{kind}.{field}" for kind, field in everything}, "nothing outlives its field"
    assert not ELSEWHERE.keys() & REFUSED.keys()


def test_the_page_says_what_becomes_of_each_field() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page, "docs/kubelet.md is stale; run: python -m tools.pod_fields"


SYSCTLS: list[tuple[str, Object, str]] = [
    ("net.ipv4.ping_group_range", {}, ""),
    ("net/ipv4/ping_group_range", {}, ""),
    ("kernel.shm_rmid_forced", {}, ""),
    ("kernel.msgmax", {}, 'forbidden sysctl: "kernel.msgmax" not allowlisted'),
    (
        "net/ipv4/conf/all/route_localnet",
        {},
        'forbidden sysctl: "net.ipv4.conf.all.route_localnet" not allowlisted',
    ),
    (
        "net.ipv4.tcp_syncookies",
        {"hostNetwork": True},
        'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled',
    ),
    (
        "kernel.shm_rmid_forced",
        {"hostIPC": True},
        'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
    ),
]


@pytest.mark.parametrize(("name", "spec", "message"), SYSCTLS)
def test_sysctls(name: str, spec: Object, message: str) -> None:
    pod = make_pod(**spec, securityContext={"sysctls": [{"name": name, "value": "1"}]})
    assert find_forbidden(pod) == message
    expected = ("SysctlForbidden", message) if message else None
    assert find_objection(pod, [], ROOM) == expected


def test_sysctls_that_are_allowed_beside() -> None:
    pod = make_pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]})
    assert find_forbidden(pod, ["kernel.msg*"]) == ""
    assert find_forbidden(pod, ["kernel.msgmax"]) == ""
    assert find_forbidden(pod, ["kernel.msg"]) != ""
    assert is_namespaced("net.core.*")
    assert is_namespaced("net/core/somaxconn")
    assert not is_namespaced("kernel.*")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"os": {"name": "windows"}}, "PodOSNotSupported"),
        ({"os": {"name": "linux"}}, ""),
        (
            {"securityContext": {"supplementalGroupsPolicy": "Strict"}},
            "SupplementalGroupsPolicyNotSupported",
        ),
        ({"securityContext": {"supplementalGroupsPolicy": "Merge"}}, ""),
        ({"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}}, "AppArmor"),
        ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, ""),
    ],
)
def test_what_no_pod_gets_here(spec: Object, reason: str) -> None:
    objection = find_objection(make_pod(**spec), [], ROOM, apparmor=False)
    assert (objection or ("",))[0] == reason
    able = find_objection(make_pod(**spec), [], ROOM, apparmor=True, strict_groups=True)
    assert (able or ("",))[0] == ("" if reason != "PodOSNotSupported" else reason)


async def test_a_refused_pod_fails(made: Node) -> None:
    await made.create("p", securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]})
    status = await made.until("p", lambda s: s.get("phase") == "Failed")
    assert status["reason"] == "SysctlForbidden"
    assert status["message"] == 'forbidden sysctl: "kernel.msgmax" not allowlisted'
    assert made.runtime.calls["run_sandbox"] == 0


async def test_no_user_namespace_is_no_pod(made: Node) -> None:
    await made.create("p", hostUsers=False)
    await made.said(
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user "
        "namespaces: runtime handlers are not set",
    )
    assert made.runtime.calls["run_sandbox"] == 0


async def test_read_only_all_the_way_down(made: Node) -> None:
    mount = {"name": "v", "mountPath": "/v", "readOnly": True, "recursiveReadOnly": "Enabled"}
    volumes = [{"name": "v", "emptyDir": {}}]
    await made.create("p", {"volumeMounts": [mount]}, volumes=volumes)
    status = await made.until(
        "p",
        lambda s: (
            s.get("containerStatuses")
            and s["containerStatuses"][0]["state"].get("waiting", {}).get("reason")
            == "CreateContainerConfigError"
        ),
    )
    assert "recursive read-only" in status["containerStatuses"][0]["state"]["waiting"]["message"]


async def test_read_only_all_the_way_down_where_the_runtime_can(made: Node) -> None:
    made.runtime.current_status = replace(
        made.runtime.current_status, handlers={"": HandlerFeatures(recursive_read_only=True)}
    )
    made.kubelet.network_changed()  # it asks the runtime how it is

    async def asked() -> bool:
        return made.runtime.calls["status"] > 1

    await eventually(asked)
    mount = {"name": "v", "mountPath": "/v", "readOnly": True, "recursiveReadOnly": "IfPossible"}
    await made.create("p", {"volumeMounts": [mount]}, volumes=[{"name": "v", "emptyDir": {}}])
    status = await made.ready("p")
    (shown,) = status["containerStatuses"][0]["volumeMounts"]
    assert shown["recursiveReadOnly"] == "Enabled"
    (spec,) = made.runtime.container_specs.values()
    assert [m.recursive for m in spec.mounts if m.container_path == "/v"] == [True]


@pytest.mark.parametrize(
    ("mount", "supported", "outcome"),
    [
        ({}, True, False),
        ({"recursiveReadOnly": "Disabled"}, True, False),
        ({"readOnly": True, "recursiveReadOnly": "Enabled"}, True, True),
        ({"readOnly": True, "recursiveReadOnly": "IfPossible"}, False, False),
        ({"recursiveReadOnly": "Enabled"}, True, "but it is not read-only"),
        (
            {"readOnly": True, "recursiveReadOnly": "Enabled", "mountPropagation": "HostToContainer"},
            True,
            'but it is not compatible with propagation "HostToContainer"',
        ),
        (
            {"readOnly": True, "recursiveReadOnly": "Enabled"},
            False,
            "but it is not supported by the runtime",
        ),
    ],
)
def test_modes_of_read_only(mount: Object, supported: bool, outcome: bool | str) -> None:
    mount = {"name": "v", **mount}
    if isinstance(outcome, bool):
        assert is_recursive_read_only(mount, supported=supported) is outcome
        return
    with pytest.raises(ConfigFailure) as caught:
        is_recursive_read_only(mount, supported=supported)
    assert str(caught.value) == (
        "failed to resolve recursive read-only mode: "
        f'volume "v" requested recursive read-only mode, {outcome}'
    )


@pytest.mark.parametrize("where", ["containers", "initContainers"])
async def test_privileged_containers_get_a_privileged_sandbox(made: Node, where: str) -> None:
    container = {"name": "x", "image": "nginx:1.27", "securityContext": {"privileged": True}}
    plain = {"name": "web", "image": "nginx:1.27"}
    spec: Object = {"containers": [plain, container]} if where == "containers" else {where: [container]}
    if where == "initContainers":
        spec["containers"] = [plain]
        made.runtime.on_start = lambda started: 0 if started.name == "x" else None
    await made.create("p", **spec)
    await made.ready("p")
    assert [found.privileged for found in made.runtime.sandbox_specs.values()] == [True]


async def test_the_class_chooses_the_handler(made: Node) -> None:
    await made.admin.create(
        RUNTIME_CLASSES,
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": "sandboxed"},
            "handler": "gvisor",
        },
    )
    await made.create("p", runtimeClassName="sandboxed")
    await made.create("plain")
    await made.ready("p")
    await made.ready("plain")
    handlers = {spec.name: spec.runtime_handler for spec in made.runtime.sandbox_specs.values()}
    assert handlers == {"p": "gvisor", "plain": ""}
