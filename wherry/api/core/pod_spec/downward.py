"""References to a pod's own fields and resources: the downward API, in variables and in files."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.core.pod_spec.rules import Errors, Fields, check
from wherry.objects.errors import invalid_value, not_supported, required
from wherry.objects.names import qualified_name_errors
from wherry.objects.quantity import canonical_quantity

RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)

_LABELS = frozenset(
    (
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "spec.schedulerName",
        "spec.host",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    )
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_BYTE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_BYTE_KINDS = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
_BYTES_WRONG = f"only divisor's values {', '.join(_BYTE_DIVISORS)} are supported with the "


def split_subscript(path: str) -> tuple[str, str | None]:
    """`metadata.labels['x']` as its path and what stands between the quotes; (path, None) without."""
    head, opening, rest = path.partition("['")
    if opening and head and rest.endswith("']"):
        return head, rest[:-2]
    return path, None


def validate_field_ref(ref: Fields, allowed: Sequence[str], path: str, errors: Errors) -> None:
    """A `fieldRef`; `allowed` are the paths without a subscript that may be used, sorted."""
    version, field = ref.get("apiVersion") or "", ref.get("fieldPath") or ""
    if not version or not field:
        errors.append(required(f"{path}.{'fieldPath' if version else 'apiVersion'}"))
        return
    head, subscript = split_subscript(field)
    wrong = ""
    if version != "v1":
        wrong = f"unsupported pod version: {version}"
    elif subscript is not None and head not in ("metadata.annotations", "metadata.labels"):
        wrong = f"field label does not support subscript: {field}"
    elif head not in _LABELS:
        wrong = f"field label not supported: {field}"
    if wrong:
        errors.append(invalid_value(f"{path}.fieldPath", field, f"error converting fieldPath: {wrong}"))
    elif subscript is not None:
        key = subscript.lower() if head == "metadata.annotations" else subscript
        check(qualified_name_errors, key, path, errors)
    elif head not in allowed:
        errors.append(not_supported(f"{path}.fieldPath", head, sorted(allowed)))


def validate_resource_ref(ref: Fields, path: str, in_volume: bool, errors: Errors) -> None:
    """A `resourceFieldRef`, which in a volume must name its container."""
    resource = ref.get("resource") or ""
    if in_volume and not ref.get("containerName"):
        errors.append(required(f"{path}.containerName"))
    elif not resource:
        errors.append(required(f"{path}.resource"))
    elif resource not in RESOURCES and not resource.startswith(_HUGE_PAGES):
        errors.append(not_supported(f"{path}.resource", resource, RESOURCES))
    _validate_divisor(resource, ref.get("divisor"), f"{path}.divisor", errors)


def _validate_divisor(resource: str, divisor: str | int | None, path: str, errors: Errors) -> None:
    if divisor is None:
        return
    try:
        text = canonical_quantity(divisor)
    except ValueError as error:
        errors.append(invalid_value(path, divisor, str(error)))
        return
    if text == "0":
        return
    kind = resource.partition(".")[2]
    if kind == "cpu" and text not in ("1m", "1"):
        detail = "only divisor's values 1m and 1 are supported with the cpu resource"
        errors.append(invalid_value(path, resource, detail))
    what = "hugepages" if resource.startswith(_HUGE_PAGES) else _BYTE_KINDS.get(kind)
    if what and text not in _BYTE_DIVISORS:
        errors.append(invalid_value(path, resource, f"{_BYTES_WRONG}{what} resource"))
