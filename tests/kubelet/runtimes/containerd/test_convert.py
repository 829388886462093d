"""Specs in CRI's words, and CRI's answers in ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cri_api.v1 import api_pb2 as cri

from wherry.kubelet.runtimes.containerd.convert import (
    CGROUP_PARENT,
    container_config,
    resources_of_info,
    sandbox_config,
    sandbox_ips,
    to_container,
    to_image,
    to_time,
)
from wherry.kubelet.runtimes.containers import ContainerSpec, DeviceNode, Mount, Phase, Resources
from wherry.kubelet.runtimes.labels import CONTAINER_NAME, POD_UID
from wherry.kubelet.runtimes.sandboxes import PortMapping, SandboxSpec

PROFILES = Path("/profiles")


def sandbox(**values: Any) -> SandboxSpec:
    return SandboxSpec(**{"name": "web", "namespace": "default", "uid": "u1", **values})


def container(spec: SandboxSpec | None = None, **values: Any) -> Any:
    whole = ContainerSpec(**{"name": "c", "attempt": 2, "image": "img", **values})
    return container_config(whole, spec or sandbox(), PROFILES)


def security(spec: SandboxSpec | None = None, **context: Any) -> Any:
    return container(spec, security=context).linux.security_context


def test_sandbox() -> None:
    spec = sandbox(
        attempt=3,
        hostname="web",
        log_directory="/logs",
        cgroup_parent="/pods/u1",
        dns_servers=["10.96.0.10"],
        port_mappings=[PortMapping(80, 8080, "UDP", "127.0.0.1")],
        sysctls={"net.core.somaxconn": "1024"},
    )
    config = sandbox_config(spec, PROFILES)
    assert (config.metadata.name, config.metadata.uid, config.metadata.attempt) == ("web", "u1", 3)
    assert config.labels[POD_UID] == "u1"
    assert config.annotations[CGROUP_PARENT] == "/pods/u1"
    assert config.linux.cgroup_parent == "/pods/u1"
    assert list(config.dns_config.servers) == ["10.96.0.10"]
    (port,) = config.port_mappings
    assert (port.container_port, port.host_port, port.protocol, port.host_ip) == (
        80,
        8080,
        cri.UDP,
        "127.0.0.1",
    )
    assert config.linux.sysctls["net.core.somaxconn"] == "1024"


def test_without_dns_the_hosts_is_used() -> None:
    assert not sandbox_config(sandbox(), PROFILES).HasField("dns_config")


@pytest.mark.parametrize(
    ("values", "network", "pid", "ipc"),
    [
        ({}, cri.POD, cri.CONTAINER, cri.POD),
        ({"host_network": True}, cri.NODE, cri.CONTAINER, cri.POD),
        ({"host_pid": True}, cri.POD, cri.NODE, cri.POD),
        ({"host_ipc": True}, cri.POD, cri.CONTAINER, cri.NODE),
        ({"share_process_namespace": True}, cri.POD, cri.POD, cri.POD),
    ],
)
def test_namespaces(values: dict[str, bool], network: int, pid: int, ipc: int) -> None:
    spec = sandbox(**values)
    for context in (sandbox_config(spec, PROFILES).linux.security_context, security(spec)):
        options = context.namespace_options
        assert (options.network, options.pid, options.ipc) == (network, pid, ipc)


def test_ephemeral_containers_may_share_anothers_processes() -> None:
    options = container(target_container_id="abc").linux.security_context.namespace_options
    assert (options.pid, options.target_id) == (cri.TARGET, "abc")


def test_container() -> None:
    config = container(
        command=["a"],
        args=["b"],
        env=[("K", "V")],
        mounts=[Mount("/host", "/in", True, "Bidirectional")],
        resources=Resources(cpu_shares=512, memory_limit_bytes=1024, oom_score_adj=-5),
        log_path="c/2.log",
        tty=True,
        devices=[DeviceNode("/dev/fuse", "/dev/x", "r")],
        cdi_devices=["vendor.example/gpu=0"],
    )
    assert (config.metadata.name, config.metadata.attempt) == ("c", 2)
    assert config.labels[CONTAINER_NAME] == "c"
    assert (list(config.command), list(config.args)) == (["a"], ["b"])
    assert [(item.key, item.value) for item in config.envs] == [("K", "V")]
    (mount,) = config.mounts
    assert (mount.host_path, mount.container_path, mount.readonly) == ("/host", "/in", True)
    assert mount.propagation == cri.PROPAGATION_BIDIRECTIONAL
    assert config.linux.resources.cpu_shares == 512
    assert config.linux.resources.oom_score_adj == -5
    (device,) = config.devices
    assert (device.host_path, device.container_path, device.permissions) == ("/dev/fuse", "/dev/x", "r")
    assert [one.name for one in config.CDI_devices] == ["vendor.example/gpu=0"]
    assert config.tty


def test_plain_security() -> None:
    context = security()
    assert not context.HasField("run_as_user")
    assert not context.no_new_privs
    assert context.seccomp.profile_type == cri.SecurityProfile.Unconfined
    assert "/proc/kcore" in context.masked_paths
    assert "/proc/sys" in context.readonly_paths


def test_users_and_groups() -> None:
    pod = sandbox(security={"supplementalGroups": [5], "fsGroup": 6})
    context = security(pod, runAsUser=0, runAsGroup=7)
    # 0 is a user like any other, not "unset".
    assert context.HasField("run_as_user")
    assert (context.run_as_user.value, context.run_as_group.value) == (0, 7)
    assert list(context.supplemental_groups) == [5, 6]
    assert not security(runAsGroup=7).HasField("run_as_group")


def test_privileges() -> None:
    assert security(allowPrivilegeEscalation=False).no_new_privs
    assert not security(allowPrivilegeEscalation=True).no_new_privs
    assert security(readOnlyRootFilesystem=True).readonly_rootfs
    privileged = security(privileged=True)
    assert privileged.privileged
    assert not privileged.masked_paths
    assert not security(procMount="Unmasked").masked_paths
    capabilities = security(capabilities={"add": ["NET_ADMIN"], "drop": ["ALL"]}).capabilities
    assert list(capabilities.add_capabilities) == ["NET_ADMIN"]
    assert list(capabilities.drop_capabilities) == ["ALL"]


def test_profiles() -> None:
    local = security(seccompProfile={"type": "Localhost", "localhostProfile": "a/b.json"}).seccomp
    assert (local.profile_type, local.localhost_ref) == (cri.SecurityProfile.Localhost, "/profiles/a/b.json")
    inherited = security(sandbox(security={"seccompProfile": {"type": "RuntimeDefault"}})).seccomp
    assert inherited.profile_type == cri.SecurityProfile.RuntimeDefault
    apparmor = security(appArmorProfile={"type": "Localhost", "localhostProfile": "p"}).apparmor
    assert (apparmor.profile_type, apparmor.localhost_ref) == (cri.SecurityProfile.Localhost, "p")


def test_reading_a_container() -> None:
    status = cri.ContainerStatus(
        id="id",
        metadata=cri.ContainerMetadata(name="c", attempt=1),
        state=cri.CONTAINER_EXITED,
        created_at=1_500_000_000_123_456_789,
        finished_at=1_500_000_001_000_000_000,
        exit_code=3,
        reason="Error",
    )
    read = to_container("sb", status)
    assert (read.id, read.sandbox_id, read.attempt, read.phase) == ("id", "sb", 1, Phase.EXITED)
    assert read.created == datetime(2017, 7, 14, 2, 40, 0, 123456, UTC)
    assert read.started is None
    assert read.exit_code == 3


def test_reading_the_rest() -> None:
    # Go's zero time comes as a large negative number.
    assert to_time(-6795364578871345152) is None
    network = cri.PodSandboxNetworkStatus(ip="10.0.0.2", additional_ips=[cri.PodIP(ip="fd00::2")])
    assert sandbox_ips(cri.PodSandboxStatus(network=network)) == ["10.0.0.2", "fd00::2"]
    assert sandbox_ips(cri.PodSandboxStatus()) == []
    image = to_image(cri.Image(id="i", repo_tags=["a:1"], repo_digests=["a@sha256:0"], size=5))
    assert (image.names, image.size_bytes, image.uid) == (("a:1", "a@sha256:0"), 5, None)
    assert to_image(cri.Image(uid=cri.Int64Value(value=0))).uid == 0


def test_limits_are_told_by_the_status_or_by_the_spec_beside_it() -> None:
    status = cri.ContainerStatus(id="c", state=cri.CONTAINER_RUNNING)
    spec = {"cpu": {"shares": 204, "quota": -1, "period": 100000}, "memory": {"limit": 1 << 20}}
    info = {"info": json.dumps({"runtimeSpec": {"linux": {"resources": spec}}})}
    told = resources_of_info(info)
    assert told == Resources(cpu_shares=204, cpu_period_us=100_000, memory_limit_bytes=1 << 20)
    assert to_container("s", status, told).resources == told
    status.resources.linux.CopyFrom(cri.LinuxContainerResources(cpu_shares=512, memory_limit_in_bytes=-1))
    assert to_container("s", status, told).resources == Resources(cpu_shares=512)
    for nothing in ({}, {"info": "{"}, {"info": "[]"}, {"info": "{}"}):
        assert resources_of_info(nothing) is None
    assert to_container("s", cri.ContainerStatus(id="c")).resources is None
