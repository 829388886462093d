"""Things in a pod's spec that are allowed and rarely meant: each a `Warning:` to the author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.core.volume_warnings import source_warnings

_STABLE_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
}


def pod_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    """The warnings about a `PodSpec` at `path`."""
    warnings: list[str] = []
    for label in spec.get("nodeSelector") or ():
        if stable := _STABLE_LABELS.get(label):
            since = "v1.14" if "arch" in label or label.endswith("/os") else "v1.17"
            warnings.append(f'{path}.nodeSelector[{label}]: deprecated since {since}; use "{stable}" instead')
    grace_s = spec.get("terminationGracePeriodSeconds")
    if grace_s is not None and grace_s < 0:
        warnings.append(
            f"{path}.terminationGracePeriodSeconds: must be >= 0; "
            "negative values are invalid and will be treated as 1"
        )
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            _warn_container(container, f"{path}.{field}[{index}]", warnings)
    for index, volume in enumerate(spec.get("volumes") or ()):
        warnings += source_warnings(volume, f"{path}.volumes[{index}]")
    seen: set[str] = set()
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        name = secret.get("name") or ""
        at = f"{path}.imagePullSecrets[{index}]"
        if not name:
            warnings.append(f'{at}: invalid empty name ""')
        elif name in seen:
            warnings.append(f'{at}: duplicate name "{name}"')
        seen.add(name)
    return warnings


def _warn_container(container: Mapping[str, Any], path: str, warnings: list[str]) -> None:
    hidden: set[str] = set()
    for index, variable in enumerate(container.get("env") or ()):
        name, value = variable.get("name") or "", variable.get("value") or ""
        if name in hidden and f"$({name})" not in value:
            warnings.append(
                f'{path}.env[{index}]: hides previous definition of "{name}", '
                "which may be dropped when using apply"
            )
        hidden.add(name)
    ports: set[tuple[Any, ...]] = set()
    for index, port in enumerate(container.get("ports") or ()):
        key = tuple(port.get(name) for name in ("containerPort", "protocol", "hostPort", "hostIP"))
        if key in ports:
            warnings.append(f"{path}.ports[{index}]: duplicate port definition with previous ones")
        ports.add(key)
