"""Things in a pod that are allowed and rarely meant: each a `Warning:` to the author."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wherry.api.core.address_warnings import ip_warnings
from wherry.api.core.deprecated_labels import (
    label_message,
    node_selector_warnings,
    selector_warnings,
    term_warnings,
)
from wherry.api.core.pod_spec.affinity import PREFERRED, REQUIRED
from wherry.api.core.volume_warnings import fraction_warning, source_warnings
from wherry.objects.meta import annotations_of
from wherry.objects.repeats import repeated

_NO_SELECTOR = "a null labelSelector results in matching no pod"
_SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
_CONTAINER_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_USE_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_USE_APPARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": (
        'non-functional in v1.11+; use the "sysctls" field instead'
    ),
}
_NOTHING: Mapping[str, Any] = {}

Fields = Mapping[str, Any]


def pod_warnings(pod: Fields, path: str = "") -> list[str]:
    """The warnings about a pod, or about a template of one at `path` (`spec.template`)."""
    prefix = f"{path}." if path else ""
    spec, at = pod.get("spec") or _NOTHING, f"{prefix}spec"
    warnings = _placement_warnings(spec, at)
    annotations, noted = annotations_of(pod), f"{prefix}metadata.annotations"
    warnings += [f"{noted}[{key}]: {text}" for key, text in _ANNOTATIONS.items() if key in annotations]
    for index, ip in enumerate((spec.get("dnsConfig") or _NOTHING).get("nameservers") or ()):
        warnings += ip_warnings(ip, f"{at}.dnsConfig.nameservers[{index}]")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        warnings += ip_warnings(alias.get("ip") or "", f"{at}.hostAliases[{index}].ip")
    for index, volume in enumerate(spec.get("volumes") or ()):
        warnings += _volume_warnings(volume, f"{at}.volumes[{index}]")
    warnings += _list_warnings(spec, at)
    overhead = spec.get("overhead") or _NOTHING
    for name in ("memory", "ephemeral-storage"):
        warnings += fraction_warning(overhead.get(name), f"{at}.overhead[{name}]")
    if annotations:
        warnings += _profile_warnings(spec, annotations, noted, is_template=bool(path))
    for container, place in _containers(spec, at):
        warnings += _container_warnings(container, place)
    warnings += _port_warnings(spec, at)
    grace_s = spec.get("terminationGracePeriodSeconds")
    if grace_s is not None and grace_s < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        warnings.append(f"{at}.terminationGracePeriodSeconds: {text}")
    return warnings + _pod_affinity_warnings(spec.get("affinity") or _NOTHING, f"{at}.affinity")


def _containers(spec: Fields, path: str) -> Iterator[tuple[Fields, str]]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield container, f"{path}.{field}[{index}]"


def _placement_warnings(spec: Fields, path: str) -> list[str]:
    """Labels of nodes by their old names, and spreads over no pods."""
    warnings = selector_warnings(spec.get("nodeSelector"), f"{path}.nodeSelector")
    affinity = (spec.get("affinity") or _NOTHING).get("nodeAffinity") or _NOTHING
    at = f"{path}.affinity.nodeAffinity"
    warnings += node_selector_warnings(affinity.get(REQUIRED), f"{at}.{REQUIRED}")
    for index, term in enumerate(affinity.get(PREFERRED) or ()):
        warnings += term_warnings(term.get("preference") or _NOTHING, f"{at}.{PREFERRED}[{index}].preference")
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        at, key = f"{path}.topologySpreadConstraints[{index}]", constraint.get("topologyKey") or ""
        if said := label_message(key):
            warnings.append(f"{at}.topologyKey: {key} is {said}")
        if constraint.get("labelSelector") is None:
            warnings.append(f"{at}.labelSelector: {_NO_SELECTOR}")
    return warnings


def _pod_affinity_warnings(affinity: Fields, path: str) -> list[str]:
    warnings: list[str] = []
    for field in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(field) or _NOTHING
        for index, term in enumerate(rules.get(REQUIRED) or ()):
            if term.get("labelSelector") is None:
                warnings.append(f"{path}.{field}.{REQUIRED}[{index}].labelSelector: {_NO_SELECTOR}")
        for index, weighted in enumerate(rules.get(PREFERRED) or ()):
            if (weighted.get("podAffinityTerm") or _NOTHING).get("labelSelector") is None:
                at = f"{path}.{field}.{PREFERRED}[{index}].podAffinityTerm"
                warnings.append(f"{at}.labelSelector: {_NO_SELECTOR}")
    return warnings


def _volume_warnings(volume: Fields, path: str) -> list[str]:
    warnings = source_warnings(volume, path)
    template = (volume.get("ephemeral") or _NOTHING).get("volumeClaimTemplate") or _NOTHING
    resources = (template.get("spec") or _NOTHING).get("resources") or _NOTHING
    for kind in ("requests", "limits"):
        at = f"{path}.ephemeral.volumeClaimTemplate.spec.resources.{kind}[storage]"
        warnings += fraction_warning((resources.get(kind) or _NOTHING).get("storage"), at)
    return warnings


def _list_warnings(spec: Fields, path: str) -> list[str]:
    """Entries of lists that say the same as one before."""
    warnings: list[str] = []
    for field, name, what in (("hostAliases", "ip", "ip"), ("imagePullSecrets", "name", "name")):
        values = [entry.get(name) or "" for entry in spec.get(field) or ()]
        warnings += [
            f'{path}.{field}[{index}].{name}: duplicate {what} "{value}"' for index, value in repeated(values)
        ]
    secrets = spec.get("imagePullSecrets") or ()
    return warnings + [
        f'{path}.imagePullSecrets[{index}].name: invalid empty name ""'
        for index, secret in enumerate(secrets)
        if not secret.get("name")
    ]


def _profile_warnings(
    spec: Fields, annotations: Mapping[str, str], path: str, is_template: bool
) -> list[str]:
    """Annotations that fields have replaced, where those are not set. Templates alone name AppArmor's."""
    pod = spec.get("securityContext") or _NOTHING
    warnings: list[str] = []
    if _SECCOMP in annotations and pod.get("seccompProfile") is None:
        warnings.append(f"{path}[{_SECCOMP}]: {_USE_SECCOMP}")
    for container, _ in _containers(spec, ""):
        own, name = container.get("securityContext") or _NOTHING, container.get("name") or ""
        if _CONTAINER_SECCOMP + name in annotations and own.get("seccompProfile") is None:
            warnings.append(f"{path}[{_CONTAINER_SECCOMP}{name}]: {_USE_SECCOMP}")
        has_field = own.get("appArmorProfile") is not None or pod.get("appArmorProfile") is not None
        if is_template and _APPARMOR + name in annotations and not has_field:
            warnings.append(f"{path}[{_APPARMOR}{name}]: {_USE_APPARMOR}")
    return warnings


def _container_warnings(container: Fields, path: str) -> list[str]:
    warnings: list[str] = []
    resources = container.get("resources") or _NOTHING
    for name in ("memory", "ephemeral-storage"):
        for kind in ("limits", "requests"):
            amount = (resources.get(kind) or _NOTHING).get(name)
            warnings += fraction_warning(amount, f"{path}.resources.{kind}[{name}]")
    variables: Sequence[Fields] = container.get("env") or ()
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name = variable.get("name") or ""
        if name in seen and _hides(variable, f"$({name})"):
            warnings.append(
                f'{path}.env[{index}]: hides previous definition of "{name}", '
                "which may be dropped when using apply"
            )
        seen.add(name)
    return warnings


def _hides(variable: Fields, reference: str) -> bool:
    """Whether nothing of an earlier value is left in a variable set again."""
    value = variable.get("value") or ""
    return variable.get("valueFrom") is not None or value == reference or reference not in value


def _port_warnings(spec: Fields, path: str) -> list[str]:
    """Ports that more than one container, or one of them twice, lays claim to."""
    warnings: list[str] = []
    taken: dict[tuple[Any, Any], list[tuple[str, Fields]]] = {}
    for container, place in _containers(spec, path):
        for index, port in enumerate(container.get("ports") or ()):
            at = f"{place}.ports[{index}]"
            if port.get("hostIP") and not port.get("hostPort"):
                warnings.append(f"{at}: hostIP set without hostPort: {_shown(port)}")
            others = taken.setdefault((port.get("containerPort"), port.get("protocol")), [])
            for other_at, other in others:
                if how := _clash(port, other):
                    warnings.append(f"{at}: {how} port definition with {other_at}")
            others.append((at, port))
    return warnings


def _clash(port: Fields, other: Fields) -> str:
    host, other_host = port.get("hostPort") or 0, other.get("hostPort") or 0
    ip, other_ip = port.get("hostIP") or "", other.get("hostIP") or ""
    if (host, ip) == (other_host, other_ip):
        return "duplicate"
    if not host or not other_host:
        return "overlapping"
    return "dangerously ambiguous" if host == other_host and bool(ip) != bool(other_ip) else ""


def _shown(port: Fields) -> str:
    """A port as upstream prints one."""
    return (
        f"{{Name:{port.get('name') or ''} HostPort:{port.get('hostPort') or 0} "
        f"ContainerPort:{port.get('containerPort') or 0} Protocol:{port.get('protocol') or ''} "
        f"HostIP:{port.get('hostIP') or ''}}}"
    )
