"""`spec.os`: what one system does not know may not be set for it."""

from __future__ import annotations

from collections.abc import Iterator

from wherry.api.core.pod_spec.rules import Errors, Fields, check_unset
from wherry.objects.errors import forbidden_value, not_supported, required

SYSTEMS = ("linux", "windows")

_LINUX_POD = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)
_LINUX_CONTAINER = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_NOT_WINDOWS = "cannot be set for a windows pod"
_NOT_LINUX = "windows options cannot be set for a linux pod"


def validate_operating_system(spec: Fields, path: str, errors: Errors) -> None:
    """`os` of a pod's spec, and the fields its choice rules out."""
    system = spec.get("os")
    if system is None:
        return
    name = system.get("name") or ""
    if not name:
        errors.append(required(f"{path}.os.name", "cannot be empty"))
    elif name not in SYSTEMS:
        errors.append(not_supported(f"{path}.os", name, SYSTEMS))
    elif name == "linux":
        for context, at in _contexts(spec, path):
            if context.get("windowsOptions") is not None:
                errors.append(forbidden_value(f"{at}.windowsOptions", _NOT_LINUX))
    else:
        _validate_windows(spec, path, errors)


def _contexts(spec: Fields, path: str) -> Iterator[tuple[Fields, str]]:
    """Every security context with its path, the pod's first."""
    yield spec.get("securityContext") or {}, f"{path}.securityContext"
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            at = f"{path}.{field}[{index}].securityContext"
            yield container.get("securityContext") or {}, at


def _validate_windows(spec: Fields, path: str, errors: Errors) -> None:
    for field in ("hostUsers", "shareProcessNamespace"):
        check_unset(spec, {field: f"{path}.{field}"}, _NOT_WINDOWS, errors)
    for field in ("hostPID", "hostIPC"):
        if spec.get(field):
            errors.append(forbidden_value(f"{path}.{field}", _NOT_WINDOWS))
    for context, at in _contexts(spec, path):
        whole_pod = at == f"{path}.securityContext"
        names = _LINUX_POD if whole_pod else _LINUX_CONTAINER
        check_unset(context, {name: f"{at}.{name}" for name in names}, _NOT_WINDOWS, errors)
        if whole_pod and context.get("sysctls"):
            errors.append(forbidden_value(f"{at}.sysctls", _NOT_WINDOWS))
