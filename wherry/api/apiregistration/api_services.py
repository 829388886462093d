"""APIService: a group version served here or by another server; the name is `<version>.<group>`."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import PATH_SEGMENT, check_text
from wherry.objects.conditions import find_condition
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1035_label_errors, dns1123_subdomain_errors, port_number_errors

_SCHEMA = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService"
_STATUSES = ("True", "False", "Unknown")
_GROUP_PRIORITY_MAX = 20000
_VERSION_PRIORITY_MAX = 1000
LOCAL_CONDITION = {
    "type": "Available",
    "status": "True",
    "reason": "Local",
    "message": "Local APIServices are always available",
}
"""What is said of group versions this server serves itself (lastTransitionTime to be added)."""


def _default(obj: Object) -> None:
    service = (obj.get("spec") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443


def _prepare(new: Object, old: Object | None) -> None:
    """What is served here is available, always."""
    if old is None and (new.get("spec") or {}).get("service") is None:
        since = (new.get("metadata") or {}).get("creationTimestamp")
        new["status"] = {"conditions": [{**LOCAL_CONDITION, "lastTransitionTime": since}]}


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    group, version, service = spec.get("group") or "", spec.get("version") or "", spec.get("service")
    errors: list[FieldError] = []
    if name_of(new) != f"{version}.{group}":
        why = f'must be `spec.version+"."+spec.group`: "{version}.{group}"'
        errors.append(invalid_value("metadata.name", name_of(new), why))
    if not group and version != "v1":
        why = "only v1 may have an empty group and it better be legacy kube"
        errors.append(required("spec.group", why))
    if group:
        errors += check_text("spec.group", group, dns1123_subdomain_errors)
    errors += check_text("spec.version", version, dns1035_label_errors)
    for name, limit in (
        ("groupPriorityMinimum", _GROUP_PRIORITY_MAX),
        ("versionPriority", _VERSION_PRIORITY_MAX),
    ):
        value = spec.get(name) or 0
        if not 1 <= value <= limit:
            why = f"must be positive and less than {limit}"
            errors.append(invalid_value(f"spec.{name}", value, why))
    if service is None:
        if spec.get("caBundle"):
            size = f"{len(base64.b64decode(spec['caBundle']))} bytes"
            errors.append(invalid_value("spec.caBundle", size, "local APIServices may not have a caBundle"))
        if spec.get("insecureSkipTLSVerify"):
            why = "local APIServices may not have insecureSkipTLSVerify"
            errors.append(invalid_value("spec.insecureSkipTLSVerify", True, why))
        return errors
    errors += [required(f"spec.service.{name}") for name in ("namespace", "name") if not service.get(name)]
    port = service.get("port") or 0
    if wrong := port_number_errors(port):
        errors.append(invalid_value("spec.service.port", port, f"port is not valid: {', '.join(wrong)}"))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        why = "may not be true if caBundle is present"
        errors.append(invalid_value("spec.insecureSkipTLSVerify", True, why))
    return errors


def _status_rules(new: Object, _old: Object) -> list[FieldError]:
    conditions = (new.get("status") or {}).get("conditions") or ()
    return [
        not_supported(f"status.conditions[{index}].status", condition.get("status") or "", _STATUSES)
        for index, condition in enumerate(conditions)
        if condition.get("status") not in _STATUSES
    ]


def _row(obj: Object, now: datetime) -> list[Any]:
    service = (obj.get("spec") or {}).get("service")
    condition = find_condition((obj.get("status") or {}).get("conditions"), "Available") or {}
    available = condition.get("status") or "Unknown"
    if available != "True" and condition.get("reason"):
        available = f"{available} ({condition['reason']})"
    place = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    return [name_of(obj), place, available, age_of(obj, now)]


API_SERVICES = Resource(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        namespaced=False,
        name_rule=PATH_SEGMENT,
        has_status=True,
        status_resets=("spec", "metadata"),
        defaults=_default,
        prepares=_prepare,
        rules=_rules,
        status_rules=_status_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Service", description="The service the group version is served by, if not this server."),
        Column("Available", description="Whether this service is available."),
        AGE,
    ),
    schema=_SCHEMA,
    storage_key="apiregistration.k8s.io/apiservices",
)
