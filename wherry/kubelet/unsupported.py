"""What pods may ask for and this node does not have: one table, so that nothing is dropped silently.

Every field of a pod's spec is read by the kubelet, or listed in `REFUSED` with what a pod is told that has
it, or in `ELSEWHERE` with the reason why the kubelet need not read it; a test walks the schema and holds
that, and `tools/pod_fields.py` makes the table of docs/kubelet.md from it. Refusals are upstream's, in
their place: when the pod comes to the node (pkg/kubelet/lifecycle and the admit handlers), when its sandbox
is made, when a container is configured. As a feature comes its row goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.pod import all_containers, spec_of

ALPHA = "alpha: its feature gate is off, the API server drops it"
ELSEWHERE: Mapping[str, str] = {
    "PodSpec.affinity": "the scheduler's",
    "PodSpec.nodeSelector": "the scheduler's",
    "PodSpec.topologySpreadConstraints": "the scheduler's",
    "PodSpec.schedulerName": "the scheduler's",
    "PodSpec.schedulingGates": "the scheduler's",
    "PodSpec.schedulingGroup": "the scheduler's",
    "PodSpec.preemptionPolicy": "the scheduler's",
    "PodSpec.serviceAccount": "the old name of serviceAccountName, which the API server fills in",
    "PodSpec.automountServiceAccountToken": "the API server's, which adds the volume",
    "PodSecurityContext.fsGroupChangePolicy": "for kinds that outlive pods, which are not there yet",
    "PodSecurityContext.seLinuxChangePolicy": "for kinds that outlive pods, which are not there yet",
    "PodSecurityContext.windowsOptions": "ignored on Linux, as upstream does",
    "SecurityContext.windowsOptions": "ignored on Linux, as upstream does",
    "EphemeralContainer.resizePolicy": "ephemeral containers are not resized",
    "Lifecycle.stopSignal": "for runtimes that take one; upstream's kubelet passes it on to those alone",
    **{
        f"{kind}VolumeSource.defaultUser": ALPHA
        for kind in ("ConfigMap", "DownwardAPI", "Projected", "Secret")
    },
    **dict.fromkeys(
        (
            *("EmptyDirVolumeSource.mode", "HTTPGetAction.protocol", "GRPCAction.mode"),
            "VolumeMount.bindMountOptions",
            *("KeyToPath.user", "DownwardAPIVolumeFile.user", "ServiceAccountTokenProjection.user"),
        ),
        ALPHA,
    ),
    "PodSpec.evictionResponders": ALPHA,
    "EvictionResponder.name": ALPHA,
    "EvictionResponder.priority": ALPHA,
    "SELinuxOptions.level": "passed on to the runtime with all of seLinuxOptions",
    "SELinuxOptions.role": "passed on to the runtime with all of seLinuxOptions",
    "PodResourceClaim.resourceClaimName": "read by `api/dynamicresources/pod_claims`, for `devices`",
    "PodResourceClaim.resourceClaimTemplateName": "read by `api/dynamicresources/pod_claims`, for `devices`",
    "ResourceRequirements.claims": "names some of resourceClaims: read by `devices/dra/claims`",
    "ResourceClaim.request": "names a part of one of resourceClaims: read by `devices/dra/claims`",
}
"""Fields (by type) that concern others, each with the reason."""

REFUSED: Mapping[str, str] = {
    "PodSpec.hostUsers": (
        "false, where the runtime does not say that it can (containerd 2.0 with runc 1.2 does): "
        "`... runtime does not support user namespaces`"
    ),
    "PodSpec.os": "another than linux: `Failed to admit pod as the OS field doesn't match node OS`",
    "PodSecurityContext.supplementalGroupsPolicy": (
        "Strict, where the runtime does not say that it can: "
        "`SupplementalGroupsPolicy=Strict is not supported in this node`"
    ),
    "PodSecurityContext.appArmorProfile": (
        "where the machine has no AppArmor: `Cannot enforce AppArmor: AppArmor is not enabled on the host`"
    ),
    "SecurityContext.appArmorProfile": "as for the pod",
    "PodSecurityContext.sysctls": 'unsafe ones not allowed: `forbidden sysctl: "NAME" not allowlisted`',
    "VolumeMount.recursiveReadOnly": (
        "Enabled, where the runtime does not say that it can: `failed to resolve recursive read-only mode: "
        "... not supported by the runtime`"
    ),
    "Container.volumeDevices": '`cannot find volume "NAME" to pass into container "NAME"`',
    "EphemeralContainer.volumeDevices": "as of containers",
    "VolumeDevice.devicePath": "with volumeDevices",
    "VolumeDevice.name": "with volumeDevices",
}
"""Fields (by type) that are refused, or some of whose values are: which, and what the pod is told."""


def refuse_at_node(pod: Mapping[str, Any], *, apparmor: bool, strict_groups: bool) -> tuple[str, str] | None:
    """(reason, message) why the pod cannot come to this node at all, None when it can.

    `apparmor` tells whether the machine enforces AppArmor profiles, `strict_groups` whether the runtime can
    leave an image's groups out.
    """
    spec = spec_of(pod)
    if ((spec.get("os") or {}).get("name") or "linux") != "linux":
        return "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"
    security = spec.get("securityContext") or {}
    if security.get("supplementalGroupsPolicy") == "Strict" and not strict_groups:
        return (
            "SupplementalGroupsPolicyNotSupported",
            "SupplementalGroupsPolicy=Strict is not supported in this node",
        )
    if not apparmor and _wants_apparmor(pod):
        return "AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host"
    return None


def refuse_container(container: Mapping[str, Any]) -> str:
    """Why the container cannot be configured, "" when it can."""
    for device in container.get("volumeDevices") or ():
        return f'cannot find volume "{device["name"]}" to pass into container "{container["name"]}"'
    return ""


def _wants_apparmor(pod: Mapping[str, Any]) -> bool:
    asking = [spec_of(pod), *all_containers(pod)]
    profiles = ((part.get("securityContext") or {}).get("appArmorProfile") or {} for part in asking)
    return any(profile.get("type") in ("RuntimeDefault", "Localhost") for profile in profiles)
