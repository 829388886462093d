"""CustomResourceDefinition: a kind of your own.

The object's name is `<plural>.<group>`; exactly one version is stored. Schemas are validated by the part
of the API server that serves the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.apiextensions.stored_definitions import from_v1beta1, to_v1beta1
from wherry.api.apiextensions.version_rules import version_errors
from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_one_of
from wherry.objects.conditions import with_condition
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import is_dns1035_label, is_dns1123_subdomain

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
"""Keeps a deleted definition until its objects are gone."""
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
_PENDING = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
_MIXED_CASE = "may have mixed case, but should otherwise match"


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind") or ""
    if kind and not names.get("singular"):
        names["singular"] = kind.lower()
    if kind and not names.get("listKind"):
        names["listKind"] = f"{kind}List"
    conversion = spec.setdefault("conversion", {})
    if not conversion.get("strategy"):
        conversion["strategy"] = "None"
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443


def storage_version(crd: Mapping[str, Any]) -> str:
    """The version objects are stored in, "" if none is marked."""
    versions = (crd.get("spec") or {}).get("versions") or ()
    return next((version.get("name") or "" for version in versions if version.get("storage")), "")


def _prepare(new: Object, old: Object | None) -> None:
    """Remember every version objects were ever stored in: data may still be in it."""
    stored = list((((old or {}).get("status") or {}).get("storedVersions")) or ())
    version = storage_version(new)
    if version and version not in stored:
        stored.append(version)
    status = dict(new.get("status") or {})
    status["storedVersions"] = stored
    new["status"] = status


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    names, group = spec.get("names") or {}, spec.get("group") or ""
    wanted = f"{names.get('plural') or ''}.{group}"
    errors: list[FieldError] = []
    if name_of(new) != wanted:
        why = 'must be spec.names.plural+"."+spec.group'
        errors.append(invalid_value("metadata.name", name_of(new), why))
    if group:
        errors += check_text("spec.group", group, is_dns1123_subdomain)
        if "." not in group:
            errors.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    errors += validate_one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    errors += _name_errors(names)
    errors += _version_errors(spec.get("versions") or [])
    if spec.get("preserveUnknownFields"):
        why = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        errors.append(invalid_value("spec.preserveUnknownFields", True, why))
    conversion = spec.get("conversion") or {}
    errors += validate_one_of("spec.conversion.strategy", conversion.get("strategy"), ("None", "Webhook"))
    if conversion.get("strategy") == "Webhook" and not conversion.get("webhook"):
        why = "required when strategy is set to Webhook"
        errors.append(required("spec.conversion.webhook.clientConfig", why))
    if old is not None:
        errors += _change_errors(spec, old)
    return errors


def _change_errors(spec: Mapping[str, Any], old: Object) -> list[FieldError]:
    """Once established, group, scope and names stay what objects were stored under."""
    before = old.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("group") != before.get("group"):
        errors.append(invalid_value("spec.group", spec.get("group"), "field is immutable"))
    conditions = (old.get("status") or {}).get("conditions") or ()
    established = any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
    if established:
        errors += [
            invalid_value(path, now, "field is immutable")
            for path, now, was in (
                ("spec.scope", spec.get("scope"), before.get("scope")),
                (
                    "spec.names.plural",
                    (spec.get("names") or {}).get("plural"),
                    (before.get("names") or {}).get("plural"),
                ),
            )
            if now != was
        ]
    return errors


def _name_errors(names: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("plural", "singular"):
        if text := names.get(field):
            errors += check_text(f"spec.names.{field}", text, is_dns1035_label)
    for field in ("kind", "listKind"):
        if text := names.get(field):
            errors += [
                invalid_value(f"spec.names.{field}", text, f"{_MIXED_CASE}: {wrong}")
                for wrong in is_dns1035_label(text.lower())
            ]
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        why = "kind and listKind may not be the same"
        errors.append(invalid_value("spec.names.listKind", names["listKind"], why))
    for field in ("shortNames", "categories"):
        for index, text in enumerate(names.get(field) or ()):
            errors += check_text(f"spec.names.{field}[{index}]", text, is_dns1035_label)
    return errors


def _version_errors(versions: list[Mapping[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    if not versions:
        errors.append(required("spec.versions", "must have at least one version"))
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        errors += check_text(f"{path}.name", name, is_dns1035_label) if name else []
        if name in seen:
            errors.append(duplicate_value(f"{path}.name", name))
        seen.add(name)
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            errors.append(required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
        else:
            errors += version_errors(version, path)
    if versions and sum(1 for version in versions if version.get("storage")) != 1:
        why = "must have exactly one version marked as storage version"
        errors.append(invalid_value("spec.versions", [dict(version) for version in versions], why))
    return errors


class _Strategy(SchemaStrategy):
    """Beyond the schema: a deleted definition waits for its objects."""

    def prepare_deletion(self, obj: Object, now: str) -> None:
        """Hold the definition until its objects are deleted, and say so."""
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if CLEANUP_FINALIZER not in finalizers:
            finalizers.append(CLEANUP_FINALIZER)
        status = obj.setdefault("status", {})
        status["conditions"] = with_condition(
            status.get("conditions"), "Terminating", "True", now, "InstanceDeletionPending", _PENDING
        )


CUSTOM_RESOURCE_DEFINITIONS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=(Subresource("status"),),
    strategy=_Strategy(
        unconditional_update=False,
        schema=_SCHEMA,
        namespaced=False,
        has_status=True,
        tracks_generation=True,
        defaults=_default,
        prepares=_prepare,
        rules=_rules,
    ),
    schema=_SCHEMA,
    storage_key="apiextensions.k8s.io/customresourcedefinitions",
    storage_version=("apiextensions.k8s.io", "v1beta1"),
    to_storage=to_v1beta1,
    from_storage=from_v1beta1,
)
