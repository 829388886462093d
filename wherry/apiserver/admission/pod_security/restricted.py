"""The checks of the level "restricted": a pod gives up whatever it can do without."""

from __future__ import annotations

from wherry.apiserver.admission.pod_security.baseline import CONFINED, added_capabilities, seccomp
from wherry.apiserver.admission.pod_security.finding import (
    NOTHING,
    Check,
    Fields,
    Finding,
    containers,
    has_own_users,
    is_windows,
    plural,
    quoted,
    security,
    setters,
    which,
)

VOLUMES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
    "projected", "secret",
)  # fmt: skip


def not_on_windows(check: Check) -> Check:
    """The check, for pods that are not for Windows."""
    return lambda meta, spec: None if is_windows(spec) else check(meta, spec)


def not_with_own_users(check: Check) -> Check:
    """The check, for pods that share the node's users."""
    return lambda meta, spec: None if has_own_users(spec) else check(meta, spec)


def privilege_escalation(_meta: Fields, spec: Fields) -> Finding | None:
    """No more privileges than a container began with."""
    names = [
        c.get("name", "")
        for c in containers(spec)
        if security(c).get("allowPrivilegeEscalation") is not False
    ]
    detail = f"{which(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Finding("allowPrivilegeEscalation != false", detail) if names else None


def capabilities(_meta: Fields, spec: Fields) -> Finding | None:
    """All capabilities are dropped, and none but binding low ports is taken back."""
    keeping = [
        c.get("name", "")
        for c in containers(spec)
        if "ALL" not in ((security(c).get("capabilities") or NOTHING).get("drop") or ())
    ]
    adding, bad = added_capabilities(spec, frozenset({"NET_BIND_SERVICE"}))
    details = []
    if keeping:
        details.append(f'{which(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        details.append(f"{which(adding)} must not include {quoted(bad)} in securityContext.capabilities.add")
    return Finding("unrestricted capabilities", "; ".join(details)) if details else None


def volumes(_meta: Fields, spec: Fields) -> Finding | None:
    """Only volumes that are not the node's, nor some storage the pod names itself."""
    bad = [v for v in spec.get("volumes") or () if not any(v.get(kind) is not None for kind in VOLUMES)]
    if not bad:
        return None
    kinds = sorted({kind for volume in bad for kind in volume if kind != "name"} or {"unknown"})
    names = [volume.get("name", "") for volume in bad]
    use = "uses" if len(names) == 1 else "use"
    what = plural("restricted volume type", kinds)
    detail = f"{plural('volume', names)} {quoted(names)} {use} {what} {quoted(kinds)}"
    return Finding("restricted volume types", detail)


def run_as_non_root(_meta: Fields, spec: Fields) -> Finding | None:
    """Nobody runs as root."""
    of_pod = security(spec).get("runAsNonRoot")
    said = {c.get("name", ""): security(c).get("runAsNonRoot") for c in containers(spec)}
    who = setters(of_pod is False, [name for name, value in said.items() if value is False])
    if who:
        detail = f"{who} must not set securityContext.runAsNonRoot=false"
        return Finding("runAsNonRoot != true", detail)
    silent = [name for name, value in said.items() if value is None and not of_pod]
    detail = f"pod or {which(silent)} must set securityContext.runAsNonRoot=true"
    return Finding("runAsNonRoot != true", detail) if silent else None


def run_as_user(_meta: Fields, spec: Fields) -> Finding | None:
    """Nobody asks to be root by number."""

    def is_root(holder: Fields) -> bool:
        return bool(security(holder).get("runAsUser") == 0)

    who = setters(is_root(spec), [c.get("name", "") for c in containers(spec) if is_root(c)])
    return Finding("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def seccomp_required(meta: Fields, spec: Fields) -> Finding | None:
    """Seccomp is switched on."""
    switched_off = seccomp(meta, spec)
    if switched_off is not None:
        return switched_off
    if (security(spec).get("seccompProfile") or NOTHING).get("type") in CONFINED:
        return None
    silent = [c.get("name", "") for c in containers(spec) if security(c).get("seccompProfile") is None]
    detail = (
        f"pod or {which(silent)} must set securityContext.seccompProfile.type "
        'to "RuntimeDefault" or "Localhost"'
    )
    return Finding("seccompProfile", detail) if silent else None
