"""Security contexts: the container's over the pod's, and the check that nothing runs as root.

Pure. The runtime is handed one merged context per container; fields the container leaves out are the
pod's where upstream lets them be inherited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.pod import describe, spec_of
from wherry.kubelet.runtimes.images import Image
from wherry.objects.meta import Object

INHERITED = (
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "seLinuxOptions",
    "seccompProfile",
    "appArmorProfile",
    "windowsOptions",
)
POD_ONLY = ("fsGroup", "supplementalGroups", "supplementalGroupsPolicy", "sysctls")


RUNTIME_DEFAULT = {"type": "RuntimeDefault"}


def merge_security(
    pod: Mapping[str, Any], container: Mapping[str, Any], *, seccomp_default: bool = False
) -> Object:
    """The container's effective security context, with the pod's groups added.

    With `seccomp_default` one that says nothing of seccomp has the runtime's own profile (upstream's
    SeccompDefault), a privileged one apart, which has none.
    """
    of_pod = spec_of(pod).get("securityContext") or {}
    of_container = container.get("securityContext") or {}
    merged: Object = {key: of_pod[key] for key in (*INHERITED, *POD_ONLY) if of_pod.get(key) is not None}
    merged.update({key: value for key, value in of_container.items() if value is not None})
    if seccomp_default and not merged.get("privileged"):
        merged.setdefault("seccompProfile", RUNTIME_DEFAULT)
    return merged


def check_non_root(
    pod: Mapping[str, Any], container: Mapping[str, Any], security: Mapping[str, Any], image: Image
) -> str:
    """Why `runAsNonRoot` forbids this container, in upstream's words; "" when it may run."""
    if not security.get("runAsNonRoot"):
        return ""
    where = f"(pod: {describe(pod)!r}, container: {container['name']})".replace("'", '"')
    user = security.get("runAsUser")
    if user is not None:
        if user == 0:
            return f"container's runAsUser breaks non-root policy {where}"
        return ""
    if image.uid is not None:
        return f"container has runAsNonRoot and image will run as root {where}" if image.uid == 0 else ""
    if image.username:
        return (
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    return f"container has runAsNonRoot and image will run as root {where}"
