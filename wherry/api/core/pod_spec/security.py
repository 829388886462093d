"""Security contexts of pods and containers: ids, profiles, sysctls, privileges."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wherry.api.core.pod_spec.rules import Errors, Fields, check_choice, check_descending_path
from wherry.api.core.pod_spec.windows import validate_windows_options
from wherry.objects.errors import (
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
    too_long,
)
from wherry.objects.names import range_text

PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
MAX_ID = 2**31 - 1
PATH_MAX = 4095

_SYSCTL_MAX = 253
_SYSCTL_PART = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_TEXT = rf"^({_SYSCTL_PART}[\./])*{_SYSCTL_PART}$"
_SYSCTL = re.compile(_SYSCTL_TEXT, re.ASCII)
_NET_SYSCTLS = "net."
_IPC_SYSCTLS = ("kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue.")


def validate_pod_security(spec: Fields, path: str, errors: Errors) -> None:
    """`securityContext` of a pod, and the host namespaces it goes with; `path` is that of the pod's spec."""
    context = spec.get("securityContext") or {}
    at = f"{path}.securityContext"
    if context:
        _validate_ids(context, ("fsGroup", "runAsUser", "runAsGroup"), at, errors)
        for index, group in enumerate(context.get("supplementalGroups") or ()):
            if not 0 <= group <= MAX_ID:
                detail = range_text(0, MAX_ID)
                errors.append(invalid_value(f"{at}.supplementalGroups[{index}]", group, detail))
        _validate_sysctls(context.get("sysctls") or (), spec, f"{at}.sysctls", errors)
        for name, choices in (
            ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
            ("supplementalGroupsPolicy", ("Merge", "Strict")),
            ("seLinuxChangePolicy", ("MountOption", "Recursive")),
        ):
            if context.get(name) is not None:
                check_choice(context[name], choices, f"{at}.{name}", errors)
        validate_seccomp(context.get("seccompProfile"), f"{at}.seccompProfile", errors)
        validate_apparmor(context.get("appArmorProfile"), f"{at}.appArmorProfile", errors)
        validate_windows_options(context, at, errors)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid_value(f"{at}.shareProcessNamespace", True, detail))
    if spec.get("hostUsers") is False:
        for name, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
            if spec.get(name):
                errors.append(forbidden_value(f"{path}.{shown}", "when `pod.Spec.HostUsers` is false"))


def validate_container_security(context: Fields | None, path: str, host_users: bool, errors: Errors) -> None:
    """`securityContext` of a container; `host_users` tells whether the pod keeps the host's user ids."""
    if not context:
        return
    _validate_ids(context, ("runAsUser", "runAsGroup"), path, errors)
    mount = context.get("procMount")
    if mount is not None:
        check_choice(mount, ("Default", "Unmasked"), f"{path}.procMount", errors)
        if host_users and mount == "Unmasked":
            detail = "`hostUsers` must be false to use `Unmasked`"
            errors.append(invalid_value(f"{path}.procMount", mount, detail))
    validate_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", errors)
    if context.get("allowPrivilegeEscalation") is False:
        refused = "cannot set `allowPrivilegeEscalation` to false and"
        if context.get("privileged"):
            errors.append(invalid_value(path, context, f"{refused} `privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            errors.append(invalid_value(path, context, f"{refused} `capabilities.Add` CAP_SYS_ADMIN"))
    validate_apparmor(context.get("appArmorProfile"), f"{path}.appArmorProfile", errors)
    validate_windows_options(context, path, errors)


def _validate_ids(context: Fields, names: tuple[str, ...], path: str, errors: Errors) -> None:
    for name in names:
        value = context.get(name)
        if value is not None and not 0 <= value <= MAX_ID:
            errors.append(invalid_value(f"{path}.{name}", value, range_text(0, MAX_ID)))


def validate_seccomp(profile: Fields | None, path: str, errors: Errors) -> None:
    """A `SeccompProfile`."""
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    if not kind:
        errors.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in PROFILES:
        errors.append(not_supported(f"{path}.type", kind, PROFILES))
    if kind == "Localhost":
        if local is None:
            detail = "must be set when seccomp type is Localhost"
            errors.append(required(f"{path}.localhostProfile", detail))
        else:
            check_descending_path(local, f"{path}.localhostProfile", errors)
    elif local is not None:
        detail = "can only be set when seccomp type is Localhost"
        errors.append(invalid_value(f"{path}.localhostProfile", profile, detail))


def validate_apparmor(profile: Fields | None, path: str, errors: Errors) -> None:
    """An `AppArmorProfile`."""
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if kind == "Localhost":
        missing = "must be set when AppArmor type is Localhost"
        if local is None:
            errors.append(required(at, missing))
        elif local != local.strip():
            errors.append(invalid_value(at, local, "must not be padded with whitespace"))
        elif not local:
            errors.append(required(at, missing))
        if local is not None and len(local.encode()) > PATH_MAX:
            errors.append(too_long(at, PATH_MAX))
    elif kind in PROFILES:
        if local is not None:
            errors.append(invalid_value(at, local, "can only be set when AppArmor type is Localhost"))
    elif not kind:
        errors.append(required(f"{path}.type", "type is required when appArmorProfile is set"))
    else:
        errors.append(not_supported(f"{path}.type", kind, PROFILES))


def _validate_sysctls(sysctls: Sequence[Fields], spec: Fields, path: str, errors: Errors) -> None:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        at, name = f"{path}[{index}].name", sysctl.get("name") or ""
        if not name:
            errors.append(required(at))
        elif len(name) > _SYSCTL_MAX or not _SYSCTL.fullmatch(name):
            detail = f"must have at most {_SYSCTL_MAX} characters and match regex {_SYSCTL_TEXT}"
            errors.append(invalid_value(at, name, detail))
        elif name in seen:
            errors.append(duplicate_value(at, name))
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith(_NET_SYSCTLS):
            errors.append(invalid_value(at, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and dotted.startswith(_IPC_SYSCTLS):
            errors.append(invalid_value(at, name, "may not be specified when 'hostIPC' is true"))
