"""The sandbox a pod asks for: a pure rendering of its spec and the node's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.hosts import pod_domain, pod_hostname
from wherry.kubelet.pod import (
    all_containers,
    init_containers,
    is_sidecar,
    regular_containers,
    spec_of,
    uses_host_network,
)
from wherry.kubelet.runtimes.labels import POD_NAME, POD_NAMESPACE, POD_UID
from wherry.kubelet.runtimes.sandboxes import PortMapping, SandboxSpec
from wherry.network.resolv_conf import Resolver
from wherry.objects.meta import annotations_of, labels_of, name_of, namespace_of, uid_of


def sandbox_spec(
    pod: Mapping[str, Any], attempt: int, config: KubeletConfig, resolver: Resolver, cgroup_parent: str
) -> SandboxSpec:
    """What the runtime is to make for the pod, by its default handler."""
    spec = spec_of(pod)
    security = spec.get("securityContext") or {}
    name, namespace, uid = name_of(pod), namespace_of(pod), uid_of(pod)
    on_host = uses_host_network(pod)
    return SandboxSpec(
        name=name,
        namespace=namespace,
        uid=uid,
        attempt=attempt,
        # A pod in the host's network has the host's name, and nobody may set that.
        hostname="" if on_host else _hostname(pod, config),
        log_directory=str(config.pod_log_dir(namespace, name, uid)),
        cgroup_parent=cgroup_parent,
        host_network=on_host,
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        share_process_namespace=bool(spec.get("shareProcessNamespace")),
        dns_servers=tuple(resolver.servers),
        dns_searches=tuple(resolver.searches),
        dns_options=tuple(resolver.options),
        port_mappings=() if on_host else tuple(_port_mappings(pod)),
        sysctls={s["name"]: s["value"] for s in security.get("sysctls") or ()},
        labels={**labels_of(pod), POD_NAME: name, POD_NAMESPACE: namespace, POD_UID: uid},
        annotations=dict(annotations_of(pod)),
        security=security,
        privileged=any(_is_privileged(container) for container in all_containers(pod)),
    )


def _is_privileged(container: Mapping[str, Any]) -> bool:
    return bool((container.get("securityContext") or {}).get("privileged"))


def _hostname(pod: Mapping[str, Any], config: KubeletConfig) -> str:
    name = pod_hostname(pod)
    domain = pod_domain(pod, config.cluster_domain)
    return f"{name}.{domain}" if spec_of(pod).get("setHostnameAsFQDN") and domain else name


def _port_mappings(pod: Mapping[str, Any]) -> list[PortMapping]:
    sidecars = [c for c in init_containers(pod) if is_sidecar(c)]
    return [
        PortMapping(
            port["containerPort"], port["hostPort"], port.get("protocol") or "TCP", port.get("hostIP") or ""
        )
        for container in [*sidecars, *regular_containers(pod)]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]
