"""Between the runtime's protocol and CRI's messages, in both directions; all of it pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cri_api.v1 import api_pb2 as cri

from wherry.images.pause import PAUSE_IMAGE
from wherry.kubelet.runtimes.containerd.security import container_security, id_mappings, sandbox_security
from wherry.kubelet.runtimes.containers import Container, ContainerSpec, Mount, Phase, Resources
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.labels import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID
from wherry.kubelet.runtimes.sandboxes import PortMapping, Sandbox, SandboxSpec
from wherry.kubelet.runtimes.usage import ContainerUsage

CGROUP_PARENT = "wherry.dev/cgroup-parent"
"""Annotation on a sandbox: the cgroup its containers lie in, to be removed with it."""

_PROTOCOLS = {"TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}
_PROPAGATION = {
    "None": cri.PROPAGATION_PRIVATE,
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}
_PHASES = {
    cri.CONTAINER_CREATED: Phase.CREATED,
    cri.CONTAINER_RUNNING: Phase.RUNNING,
    cri.CONTAINER_EXITED: Phase.EXITED,
}


def sandbox_config(spec: SandboxSpec, profiles: Path) -> cri.PodSandboxConfig:
    """The sandbox to run. `profiles` is the directory of the node's seccomp profiles."""
    labels = {
        POD_NAME: spec.name,
        POD_NAMESPACE: spec.namespace,
        POD_UID: spec.uid,
        **spec.labels,
    }
    annotations = dict(spec.annotations)
    if spec.cgroup_parent:
        annotations[CGROUP_PARENT] = spec.cgroup_parent
    config = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=spec.name, namespace=spec.namespace, uid=spec.uid, attempt=spec.attempt
        ),
        hostname=spec.hostname,
        log_directory=spec.log_directory,
        port_mappings=[_port_mapping(port) for port in spec.port_mappings],
        labels=labels,
        annotations=annotations,
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=spec.cgroup_parent,
            sysctls=dict(spec.sysctls),
            security_context=sandbox_security(spec, privileged=spec.privileged, profiles=profiles),
        ),
    )
    if spec.dns_servers or spec.dns_searches or spec.dns_options:
        config.dns_config.CopyFrom(
            cri.DNSConfig(servers=spec.dns_servers, searches=spec.dns_searches, options=spec.dns_options)
        )
    return config


def container_config(spec: ContainerSpec, sandbox: SandboxSpec, profiles: Path) -> cri.ContainerConfig:
    """The container to create in `sandbox`."""
    labels = {
        POD_NAME: sandbox.name,
        POD_NAMESPACE: sandbox.namespace,
        POD_UID: sandbox.uid,
        CONTAINER_NAME: spec.name,
        **spec.labels,
    }
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=spec.name, attempt=spec.attempt),
        image=cri.ImageSpec(image=spec.image),
        command=spec.command,
        args=spec.args,
        working_dir=spec.working_dir,
        envs=[cri.KeyValue(key=key, value=value) for key, value in spec.env],
        mounts=[_mount(mount, sandbox) for mount in spec.mounts],
        devices=[
            cri.Device(container_path=d.container_path, host_path=d.host_path, permissions=d.permissions)
            for d in spec.devices
        ],
        CDI_devices=[cri.CDIDevice(name=name) for name in spec.cdi_devices],
        labels=labels,
        annotations=dict(spec.annotations),
        log_path=spec.log_path,
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        tty=spec.tty,
        linux=cri.LinuxContainerConfig(
            resources=to_linux_resources(spec.resources),
            security_context=container_security(
                spec.security, sandbox, target=spec.target_container_id, profiles=profiles
            ),
        ),
    )


def to_sandbox(listed: cri.PodSandbox, ips: list[str], *, host_network: bool) -> Sandbox:
    """A listed sandbox, with what only its status tells."""
    metadata = listed.metadata
    return Sandbox(
        id=listed.id,
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        attempt=metadata.attempt,
        ready=listed.state == cri.SANDBOX_READY,
        created=to_time(listed.created_at) or datetime.fromtimestamp(0, UTC),
        ips=tuple(ips),
        host_network=host_network,
    )


def sandbox_ips(status: cri.PodSandboxStatus) -> list[str]:
    """A sandbox's addresses, the first one first; none on the host's network."""
    network = status.network
    return [ip for ip in (network.ip, *(extra.ip for extra in network.additional_ips)) if ip]


def is_on_host_network(status: cri.PodSandboxStatus) -> bool:
    return bool(status.linux.namespaces.options.network == cri.NODE)


def to_container(
    sandbox_id: str, status: cri.ContainerStatus, resources: Resources | None = None
) -> Container:
    """A container from its full status, which lacks only the sandbox it is in.

    `resources` are what it may use where the status itself does not tell.
    """
    if status.resources.HasField("linux"):
        resources = to_resources(status.resources.linux)
    return Container(
        id=status.id,
        sandbox_id=sandbox_id,
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        image=status.image.image,
        image_id=status.image_ref,
        phase=_PHASES.get(status.state, Phase.UNKNOWN),
        created=to_time(status.created_at) or datetime.fromtimestamp(0, UTC),
        started=to_time(status.started_at),
        finished=to_time(status.finished_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        labels=dict(status.labels),
        annotations=dict(status.annotations),
        log_path=status.log_path,
        resources=resources,
    )


def to_image(image: cri.Image) -> Image:
    """An image; the sandboxes' own is pinned, which containerd says of it only from 1.7 on."""
    names = (*image.repo_tags, *image.repo_digests)
    return Image(
        id=image.id,
        names=names,
        pinned=image.pinned or PAUSE_IMAGE in names,
        size_bytes=image.size,
        uid=image.uid.value if image.HasField("uid") else None,
        username=image.username,
    )


def to_usage(stats: cri.ContainerStats) -> ContainerUsage:
    """What a container uses; figures the runtime left out are 0."""
    labels = stats.attributes.labels
    return ContainerUsage(
        container_id=stats.attributes.id,
        name=stats.attributes.metadata.name,
        pod_name=labels.get(POD_NAME, ""),
        pod_namespace=labels.get(POD_NAMESPACE, ""),
        pod_uid=labels.get(POD_UID, ""),
        time=to_time(stats.cpu.timestamp) or datetime.fromtimestamp(0, UTC),
        cpu_total_ns=stats.cpu.usage_core_nano_seconds.value,
        memory_usage_bytes=stats.memory.usage_bytes.value,
        memory_working_set_bytes=stats.memory.working_set_bytes.value,
        disk_bytes=stats.writable_layer.used_bytes.value,
        disk_inodes=stats.writable_layer.inodes_used.value,
    )


def to_time(nanoseconds: int) -> datetime | None:
    """CRI's nanoseconds since 1970; 0 (and Go's zero time, far below) means never."""
    if nanoseconds <= 0:
        return None
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).replace(
        microsecond=nanoseconds % 1_000_000_000 // 1000
    )


def to_linux_resources(resources: Resources) -> cri.LinuxContainerResources:
    """A container's limits, 0 being none said."""
    return cri.LinuxContainerResources(
        cpu_shares=resources.cpu_shares,
        cpu_quota=resources.cpu_quota_us,
        cpu_period=resources.cpu_period_us,
        memory_limit_in_bytes=resources.memory_limit_bytes,
        oom_score_adj=resources.oom_score_adj,
        cpuset_cpus=resources.cpus,
        cpuset_mems=resources.memory_nodes,
        hugepage_limits=[
            cri.HugepageLimit(page_size=size, limit=limit) for size, limit in resources.huge_pages.items()
        ],
    )


def to_resources(shown: Any) -> Resources:
    """A container's limits by what CRI calls `LinuxContainerResources`; no limit and -1 are 0."""
    return Resources(
        cpu_shares=max(shown.cpu_shares, 0),
        cpu_quota_us=max(shown.cpu_quota, 0),
        cpu_period_us=max(shown.cpu_period, 0),
        memory_limit_bytes=max(shown.memory_limit_in_bytes, 0),
    )


def resources_of_info(info: Mapping[str, str]) -> Resources | None:
    """A container's limits by the OCI spec in its verbose status, None when that is not there.

    containerd tells of them in the status itself from 1.7 on; before, the spec is what it keeps up to date.
    """
    spec = (_json(info.get("info", "")).get("runtimeSpec") or {}).get("linux") or {}
    resources = spec.get("resources")
    if resources is None:
        return None
    cpu, memory = resources.get("cpu") or {}, resources.get("memory") or {}
    return Resources(
        cpu_shares=max(int(cpu.get("shares") or 0), 0),
        cpu_quota_us=max(int(cpu.get("quota") or 0), 0),
        cpu_period_us=max(int(cpu.get("period") or 0), 0),
        memory_limit_bytes=max(int(memory.get("limit") or 0), 0),
    )


def chain_id_of_info(info: Mapping[str, str]) -> str:
    """What the layers of an image come to, by its verbose status; "" when they are not unpacked."""
    return str(_json(info.get("info", "")).get("chainID") or "")


def snapshotter_of_info(info: Mapping[str, str]) -> str:
    """What unpacks images, by containerd's verbose status, which shows its configuration."""
    config = _json(info.get("config", ""))
    found = (config.get("containerd") or {}).get("snapshotter")
    return str(found or "overlayfs")


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _port_mapping(port: PortMapping) -> cri.PortMapping:
    return cri.PortMapping(
        protocol=_PROTOCOLS.get(port.protocol, cri.TCP),
        container_port=port.container_port,
        host_port=port.host_port,
        host_ip=port.host_ip,
    )


def _mount(mount: Mount, sandbox: SandboxSpec) -> cri.Mount:
    """A mount, whose files belong to the same users in the pod as on the node (an idmap mount)."""
    return cri.Mount(
        container_path=mount.container_path,
        host_path=mount.host_path,
        readonly=mount.read_only,
        propagation=_PROPAGATION.get(mount.propagation, cri.PROPAGATION_PRIVATE),
        recursive_read_only=mount.recursive,
        selinux_relabel=mount.relabel,
        uidMappings=id_mappings(sandbox),
        gidMappings=id_mappings(sandbox),
    )
