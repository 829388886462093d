"""A pod's and a container's `securityContext` in CRI's words.

The arguments are the API's own dicts; a container's is already merged with its pod's, apart from
`supplementalGroups` and `fsGroup`, which only pods have.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cri_api.v1 import api_pb2 as cri

from wherry.kubelet.runtimes.sandboxes import SandboxSpec

# What a container must not see or write of /proc and /sys unless procMount is Unmasked.
MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_PROFILE_TYPES = {
    "RuntimeDefault": cri.SecurityProfile.RuntimeDefault,
    "Unconfined": cri.SecurityProfile.Unconfined,
    "Localhost": cri.SecurityProfile.Localhost,
}

Context = Mapping[str, Any]


def namespaces(spec: SandboxSpec, target: str = "") -> cri.NamespaceOption:
    """Which namespaces a pod has to itself; `target` is a container whose processes are shared."""
    pid = cri.POD if spec.share_process_namespace else cri.CONTAINER
    if target:
        pid = cri.TARGET
    if spec.host_pid:
        pid = cri.NODE
    return cri.NamespaceOption(
        network=cri.NODE if spec.host_network else cri.POD,
        pid=pid,
        ipc=cri.NODE if spec.host_ipc else cri.POD,
        target_id=target if pid == cri.TARGET else "",
        userns_options=cri.UserNamespace(
            mode=cri.POD if spec.users is not None else cri.NODE,
            uids=id_mappings(spec),
            gids=id_mappings(spec),
        ),
    )


def id_mappings(spec: SandboxSpec) -> list[cri.IDMapping]:
    """What the pod's users and groups are on the node; empty for the same."""
    users = spec.users
    if users is None:
        return []
    return [cri.IDMapping(host_id=users.first, container_id=0, length=users.length)]


def supplemental_groups(pod: Context) -> list[int]:
    """The pod's further groups, its `fsGroup` among them, as every process in it gets them."""
    groups = [int(group) for group in pod.get("supplementalGroups") or ()]
    if pod.get("fsGroup") is not None:
        groups.append(int(pod["fsGroup"]))
    return groups


def groups_policy(pod: Context) -> Any:
    """Whether processes have the groups of the image's /etc/group, too."""
    return cri.Strict if pod.get("supplementalGroupsPolicy") == "Strict" else cri.Merge


def sandbox_security(
    spec: SandboxSpec, *, privileged: bool, profiles: Path
) -> cri.LinuxSandboxSecurityContext:
    """The sandbox's own security; `privileged` if any container of the pod is."""
    pod: Context = spec.security
    context = cri.LinuxSandboxSecurityContext(
        namespace_options=namespaces(spec),
        privileged=privileged,
        supplemental_groups=supplemental_groups(pod),
        supplemental_groups_policy=groups_policy(pod),
        # The pause program needs no system call that the runtime's profile forbids.
        seccomp=seccomp_profile(pod, profiles)
        if pod.get("seccompProfile")
        else cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
    )
    _set_user(context, pod)
    return context


def container_security(
    security: Context, spec: SandboxSpec, *, target: str, profiles: Path
) -> cri.LinuxContainerSecurityContext:
    """A container's security within the pod `spec`."""
    capabilities: Context = security.get("capabilities") or {}
    privileged = bool(security.get("privileged"))
    masked = security.get("procMount") != "Unmasked" and not privileged
    context = cri.LinuxContainerSecurityContext(
        namespace_options=namespaces(spec, target),
        privileged=privileged,
        readonly_rootfs=bool(security.get("readOnlyRootFilesystem")),
        no_new_privs=security.get("allowPrivilegeEscalation") is False,
        capabilities=cri.Capability(
            add_capabilities=capabilities.get("add") or (), drop_capabilities=capabilities.get("drop") or ()
        ),
        supplemental_groups=supplemental_groups({**spec.security, **security}),
        supplemental_groups_policy=groups_policy(spec.security),
        masked_paths=MASKED_PATHS if masked else (),
        readonly_paths=READONLY_PATHS if masked else (),
        seccomp=seccomp_profile(security if security.get("seccompProfile") else spec.security, profiles),
    )
    apparmor = security.get("appArmorProfile") or spec.security.get("appArmorProfile")
    if isinstance(apparmor, Mapping):
        context.apparmor.CopyFrom(_profile(apparmor, apparmor.get("localhostProfile") or ""))
    selinux = security.get("seLinuxOptions")
    if isinstance(selinux, Mapping):
        context.selinux_options.CopyFrom(cri.SELinuxOption(**selinux))
    _set_user(context, security)
    return context


def seccomp_profile(security: Context, profiles: Path) -> cri.SecurityProfile:
    """The seccomp profile asked for; without one a container is unconfined, as upstream has it."""
    wanted: Context = security.get("seccompProfile") or {"type": "Unconfined"}
    localhost = wanted.get("localhostProfile") or ""
    return _profile(wanted, str(profiles / localhost) if localhost else "")


def _profile(wanted: Context, localhost_ref: str) -> cri.SecurityProfile:
    kind = _PROFILE_TYPES.get(wanted.get("type") or "", cri.SecurityProfile.RuntimeDefault)
    reference = localhost_ref if kind == cri.SecurityProfile.Localhost else ""
    return cri.SecurityProfile(profile_type=kind, localhost_ref=reference)


def _set_user(context: Any, security: Context) -> None:
    if security.get("runAsUser") is not None:
        context.run_as_user.value = int(security["runAsUser"])
        # CRI wants a group only together with a user.
        if security.get("runAsGroup") is not None:
            context.run_as_group.value = int(security["runAsGroup"])
