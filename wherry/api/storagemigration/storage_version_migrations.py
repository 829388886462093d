"""StorageVersionMigration: asks that all objects of a kind be stored anew. Its spec never changes."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import IMMUTABLE
from wherry.api.validation.conditions import validate_conditions
from wherry.kit.integers import is_digits
from wherry.objects.conditions import is_true
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.meta import Object
from wherry.objects.names import dns1035_label_errors, dns1123_subdomain_errors

_SCHEMA = "io.k8s.api.storagemigration.v1.StorageVersionMigration"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    target = (new.get("spec") or {}).get("resource") or {}
    resource, group = target.get("resource") or "", target.get("group") or ""
    errors: list[FieldError] = []
    if not resource:
        errors.append(required("spec.resource.resource", "resource is required to be set"))
    elif wrong := dns1035_label_errors(resource):
        errors.append(invalid_value("spec.resource.resource", resource, ",".join(wrong)))
    if group and (wrong := dns1123_subdomain_errors(group)):
        errors.append(invalid_value("spec.resource.group", group, ",".join(wrong)))
    return errors


def _status_rules(new: Object, old: Object) -> list[FieldError]:
    status, before = new.get("status") or {}, old.get("status") or {}
    revision, conditions = status.get("resourceVersion") or "", status.get("conditions") or []
    errors: list[FieldError] = []
    path = "status.resourceVersion"
    if wrong := _wrong_revision(revision):
        errors.append(invalid_value(path, revision, wrong))
    errors += validate_conditions(conditions, "status.conditions")
    if before.get("resourceVersion") and before["resourceVersion"] != revision:
        errors.append(invalid_value(path, revision, IMMUTABLE))
    done, failed, running = (is_true(conditions, kind) for kind in ("Succeeded", "Failed", "Running"))
    was_done, has_failed = (is_true(before.get("conditions"), kind) for kind in ("Succeeded", "Failed"))
    wrongs = (
        (done and failed, "Both success and failed conditions cannot be true at the same time"),
        (done and running, "Running condition cannot be true when success condition is true"),
        (failed and running, "Running condition cannot be true when failed condition is true"),
        (was_done and not done, "Success condition cannot be set to false once it is true"),
        (has_failed and not failed, "Failed condition cannot be set to false once it is true"),
    )
    return errors + [
        invalid_value("status.conditions", conditions, why) for is_wrong, why in wrongs if is_wrong
    ]


def _wrong_revision(revision: str) -> str:
    """What is wrong with a resource version, which is a number that does not start with 0."""
    if not revision:
        return "resource version is empty"
    if revision.startswith("0"):
        return f"resource version is not well formed: {revision}"
    if not is_digits(revision):
        return f"resource version is not well formed: {revision}"
    return ""


STORAGE_VERSION_MIGRATIONS = Resource(
    group="storagemigration.k8s.io",
    version="v1",
    kind="StorageVersionMigration",
    plural="storageversionmigrations",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        unconditional_update=False,
        namespaced=False,
        has_status=True,
        status_resets=("spec", "metadata"),
        immutable=("spec",),
        is_complete=True,
        rules=_rules,
        status_rules=_status_rules,
    ),
    schema=_SCHEMA,
    storage_version=("storagemigration.k8s.io", "v1beta1"),  # which the release before can read
)
