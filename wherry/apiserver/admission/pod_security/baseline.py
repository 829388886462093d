"""The checks of the level "baseline": known ways to more privileges are closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wherry.apiserver.admission.pod_security.finding import (
    NOTHING,
    Check,
    Fields,
    Finding,
    containers,
    has_own_users,
    plural,
    quoted,
    security,
    setters,
    which,
)
from wherry.objects.errors import show_value

ADDABLE = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
        "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
SELINUX_TYPES_1_31 = SELINUX_TYPES | {"container_engine_t"}
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_syncookies",
    }
)
SYSCTLS_1_27 = SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
SYSCTLS_1_29 = SYSCTLS_1_27 | {
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
}
SYSCTLS_1_32 = SYSCTLS_1_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
CONFINED = ("RuntimeDefault", "Localhost")
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/"


def app_armor(meta: Fields, spec: Fields) -> Finding | None:
    """No AppArmor profile but the runtime's own and those of the node, by field or by annotation."""
    is_pod, names, values = _unconfined(spec, "appArmorProfile")
    annotations = sorted(
        f"{key}={show_value(value)}"
        for key, value in (meta.get("annotations") or NOTHING).items()
        if key.startswith(APPARMOR_ANNOTATION)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    bad = [*sorted(values), *annotations]
    if not bad:
        return None
    who = setters(is_pod, names)
    if annotations:
        who = " and ".join(part for part in (who, plural("annotation", annotations)) if part)
    reason = plural("forbidden AppArmor profile", bad)
    return Finding(reason, f"{who} must not set AppArmor profile type to {quoted(bad)}")


def _unconfined(spec: Fields, field: str) -> tuple[bool, list[str], set[str]]:
    """Whether the pod, and which containers, choose a profile that confines nothing; and which ones."""
    values: set[str] = set()

    def is_bad(holder: Fields) -> bool:
        profile = security(holder).get(field)
        if profile is None or profile.get("type") in CONFINED:
            return False
        values.add(profile.get("type") or "")
        return True

    is_pod = is_bad(spec)
    return is_pod, [c.get("name", "") for c in containers(spec) if is_bad(c)], values


def capabilities(_meta: Fields, spec: Fields) -> Finding | None:
    """No capabilities beyond what runtimes give anyway."""
    names, bad = added_capabilities(spec, ADDABLE)
    if not names:
        return None
    detail = f"{which(names)} must not include {quoted(bad)} in securityContext.capabilities.add"
    return Finding("non-default capabilities", detail)


def added_capabilities(spec: Fields, allowed: frozenset[str]) -> tuple[list[str], list[str]]:
    """The containers that add capabilities not in `allowed`, and these."""
    names: list[str] = []
    bad: set[str] = set()
    for container in containers(spec):
        added = set((security(container).get("capabilities") or NOTHING).get("add") or ()) - allowed
        if added:
            names.append(container.get("name", ""))
            bad |= added
    return names, sorted(bad)


def host_namespaces(_meta: Fields, spec: Fields) -> Finding | None:
    """None of the node's namespaces."""
    shared = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return Finding("host namespaces", ", ".join(shared)) if shared else None


def host_path_volumes(_meta: Fields, spec: Fields) -> Finding | None:
    """No directories of the node."""
    names = [
        volume.get("name", "") for volume in spec.get("volumes") or () if volume.get("hostPath") is not None
    ]
    return Finding("hostPath volumes", f"{plural('volume', names)} {quoted(names)}") if names else None


def host_ports(_meta: Fields, spec: Fields) -> Finding | None:
    """No ports of the node."""
    names: list[str] = []
    ports: set[str] = set()
    for container in containers(spec):
        taken = {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}
        if taken:
            names.append(container.get("name", ""))
            ports |= taken
    if not names:
        return None
    use = "uses" if len(names) == 1 else "use"
    return Finding("hostPort", f"{which(names)} {use} {plural('hostPort', ports)} {', '.join(sorted(ports))}")


def host_probes(_meta: Fields, spec: Fields) -> Finding | None:
    """No probes or hooks that make the kubelet speak to some other host."""
    names: set[str] = set()
    hosts: set[str] = set()
    for container in containers(spec):
        lifecycle = container.get("lifecycle") or NOTHING
        handlers = [container.get(f"{kind}Probe") for kind in ("liveness", "readiness", "startup")]
        handlers += [lifecycle.get("postStart"), lifecycle.get("preStop")]
        found = {
            action["host"]
            for handler in handlers
            if handler
            for action in (handler.get("httpGet") or NOTHING, handler.get("tcpSocket") or NOTHING)
            if action.get("host")
        }
        if found:
            names.add(container.get("name", ""))
            hosts |= found
    if not names:
        return None
    use = "uses" if len(names) == 1 else "use"
    what = plural("probe or lifecycle host", hosts)
    return Finding("probe or lifecycle host", f"{which(sorted(names))} {use} {what} {quoted(sorted(hosts))}")


def privileged(_meta: Fields, spec: Fields) -> Finding | None:
    """No privileged containers."""
    names = [c.get("name", "") for c in containers(spec) if security(c).get("privileged")]
    return (
        Finding("privileged", f"{which(names)} must not set securityContext.privileged=true")
        if names
        else None
    )


def proc_mount(_meta: Fields, spec: Fields) -> Finding | None:
    """/proc is masked as runtimes do it."""
    names: list[str] = []
    kinds: set[str] = set()
    for container in containers(spec):
        kind = security(container).get("procMount")
        if kind is not None and kind != "Default":
            names.append(container.get("name", ""))
            kinds.add(kind)
    if not names:
        return None
    detail = f"{which(names)} must not set securityContext.procMount to {quoted(sorted(kinds))}"
    return Finding("procMount", detail)


def proc_mount_1_35(meta: Fields, spec: Fields) -> Finding | None:
    """The same, unless the pod is in a user namespace."""
    return None if has_own_users(spec) else proc_mount(meta, spec)


def selinux(allowed: frozenset[str]) -> Check:
    """SELinux types for containers alone, and no users or roles."""

    def check(_meta: Fields, spec: Fields) -> Finding | None:
        types: set[str] = set()
        parts: set[str] = set()

        def is_bad(holder: Fields) -> bool:
            options = security(holder).get("seLinuxOptions") or NOTHING
            bad_type = options.get("type") or ""
            given = {part for part in ("user", "role") if options.get(part)}
            parts.update(given)
            if bad_type not in allowed:
                types.add(bad_type)
            return bool(given) or bad_type not in allowed

        who = setters(is_bad(spec), [c.get("name", "") for c in containers(spec) if is_bad(c)])
        if not who:
            return None
        bad = [f"{plural('type', types)} {quoted(sorted(types))}"] if types else []
        bad += [f"{part} may not be set" for part in ("user", "role") if part in parts]
        detail = f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(bad)}"
        return Finding("seLinuxOptions", detail)

    return check


def seccomp_annotations(meta: Fields, spec: Fields) -> Finding | None:
    """Seccomp is not switched off by annotations, as it was done once."""
    annotations: Mapping[str, str] = meta.get("annotations") or {}
    keys = [SECCOMP_POD_ANNOTATION]
    keys += [SECCOMP_CONTAINER_ANNOTATION + c.get("name", "") for c in containers(spec)]
    bad = sorted({f"{key}={show_value(annotations[key])}" for key in keys if _is_off(annotations.get(key))})
    if not bad:
        return None
    return Finding("seccompProfile", f"forbidden {plural('annotation', bad)} {', '.join(bad)}")


def _is_off(profile: str | None) -> bool:
    if profile is None or profile in ("runtime/default", "docker/default"):
        return False
    return not profile.startswith("localhost/")


def seccomp(_meta: Fields, spec: Fields) -> Finding | None:
    """Seccomp is not switched off."""
    is_pod, names, values = _unconfined(spec, "seccompProfile")
    if not values:
        return None
    detail = f"{setters(is_pod, names)} must not set securityContext.seccompProfile.type to"
    return Finding("seccompProfile", f"{detail} {quoted(sorted(values))}")


def sysctls(allowed: Iterable[str]) -> Check:
    """Only kernel settings that belong to the pod alone."""
    safe = frozenset(allowed)

    def check(_meta: Fields, spec: Fields) -> Finding | None:
        named = [item.get("name", "") for item in security(spec).get("sysctls") or ()]
        bad = [name for name in named if name not in safe]
        return Finding("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


def windows_host_process(_meta: Fields, spec: Fields) -> Finding | None:
    """No processes of a Windows node."""

    def is_bad(holder: Fields) -> bool:
        return bool((security(holder).get("windowsOptions") or NOTHING).get("hostProcess"))

    who = setters(is_bad(spec), [c.get("name", "") for c in containers(spec) if is_bad(c)])
    detail = f"{who} must not set securityContext.windowsOptions.hostProcess=true"
    return Finding("hostProcess", detail) if who else None
