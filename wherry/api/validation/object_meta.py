"""Validation of `metadata`, on create and on update, the same for every kind but for the name's rule.

A strategy's `validate` starts with one of the two: `validate_object_meta` when there is no old object,
`validate_object_meta_update` when there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.validation.labels import validate_labels
from wherry.api.validation.names import DNS_SUBDOMAIN, NameRule
from wherry.api.validation.values import check_text, validate_immutable, validate_non_negative
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required, show_value, too_long
from wherry.objects.meta import metadata
from wherry.objects.names import dns1123_label_errors, qualified_name_errors

ANNOTATIONS_LIMIT_B = 256 * 1024
MANAGER_LIMIT_B = 128
SUBRESOURCE_LIMIT_B = 256
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
STANDARD_FINALIZERS = frozenset({"kubernetes", ORPHAN, FOREGROUND})
QUALIFYING_GROUPS = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "discovery.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""Groups whose kinds want a domain in the names of finalizers."""
_FIXED = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def validate_object_meta(
    obj: Mapping[str, Any],
    namespaced: bool,
    name_rule: NameRule = DNS_SUBDOMAIN,
    path: str = "metadata",
) -> list[FieldError]:
    """The metadata of an object about to be created, its name already generated."""
    meta = metadata(obj)
    errors: list[FieldError] = []
    if prefix := meta.get("generateName"):
        errors += check_text(f"{path}.generateName", prefix, name_rule.check_prefix)
    if name := meta.get("name"):
        errors += check_text(f"{path}.name", name, name_rule.check)
    else:
        errors.append(required(f"{path}.name", "name or generateName is required"))
    errors += _namespace_errors(meta.get("namespace") or "", namespaced, f"{path}.namespace")
    errors += validate_non_negative(f"{path}.generation", meta.get("generation"))
    return errors + _contents_errors(meta, path) + _bare_finalizer_errors(obj, f"{path}.finalizers")


def validate_object_meta_update(
    new: Mapping[str, Any], old: Mapping[str, Any], path: str = "metadata"
) -> list[FieldError]:
    """The metadata of an object about to replace `old`."""
    meta, before = metadata(new), metadata(old)
    errors: list[FieldError] = []
    if before.get("deletionTimestamp"):
        errors += _added_finalizer_errors(meta, before, f"{path}.finalizers")
    if not meta.get("resourceVersion"):
        errors.append(invalid_value(f"{path}.resourceVersion", "", "must be specified for an update"))
    if (meta.get("generation") or 0) < (before.get("generation") or 0):
        errors.append(
            invalid_value(f"{path}.generation", meta.get("generation") or 0, "must not be decremented")
        )
    for field in _FIXED:
        value, was = meta.get(field), before.get(field)
        if value is not was and (type(value) is not str or value != was):
            errors += validate_immutable(f"{path}.{field}", value, was)
    return errors + _contents_errors(meta, path) + _bare_finalizer_errors(new, f"{path}.finalizers")


def _namespace_errors(namespace: str, namespaced: bool, path: str) -> list[FieldError]:
    if not namespaced:
        return [forbidden_value(path, "not allowed on this type")] if namespace else []
    return check_text(path, namespace, dns1123_label_errors) if namespace else [required(path)]


def _contents_errors(meta: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if labels := meta.get("labels"):
        errors += validate_labels(labels, f"{path}.labels")
    if annotations := meta.get("annotations"):
        errors += validate_annotations(annotations, f"{path}.annotations")
    if owners := meta.get("ownerReferences"):
        errors += _owner_errors(owners, f"{path}.ownerReferences")
    if finalizers := meta.get("finalizers"):
        errors += validate_finalizers(finalizers, f"{path}.finalizers")
    if managed := meta.get("managedFields"):
        errors += _managed_fields_errors(managed, f"{path}.managedFields")
    return errors


def validate_annotations(annotations: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Keys of annotations (upper case is fine in the DNS part too), and the size of all together."""
    errors: list[FieldError] = []
    size_b = 0
    for key, value in (annotations or {}).items():
        errors += [invalid_value(path, key, text) for text in qualified_name_errors(key.lower())]
        size_b += len(key.encode()) + len((value or "").encode())
    if size_b > ANNOTATIONS_LIMIT_B:
        errors.append(too_long(path, ANNOTATIONS_LIMIT_B))
    return errors


def validate_finalizers(finalizers: Sequence[str], path: str) -> list[FieldError]:
    """Names of finalizers; orphaning and foreground deletion exclude one another."""
    errors = [invalid_value(path, name, text) for name in finalizers for text in qualified_name_errors(name)]
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        errors.append(
            invalid_value(path, finalizers, f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set")
        )
    return errors


def _bare_finalizer_errors(obj: Mapping[str, Any], path: str) -> list[FieldError]:
    """Finalizers without a domain, which most built-in kinds refuse unless they are Kubernetes' own."""
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    if group not in QUALIFYING_GROUPS:
        return []
    why = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid_value(f"{path}[{index}]", name, why)
        for index, name in enumerate(metadata(obj).get("finalizers") or ())
        if "/" not in name and name not in STANDARD_FINALIZERS
    ]


def _added_finalizer_errors(
    meta: Mapping[str, Any], before: Mapping[str, Any], path: str
) -> list[FieldError]:
    added = set(meta.get("finalizers") or ()) - set(before.get("finalizers") or ())
    if not added:
        return []
    listed = ", ".join(show_value(name) for name in sorted(added))
    why = "no new finalizers can be added if the object is being deleted, found new finalizers "
    return [forbidden_value(path, f"{why}[]string{{{listed}}}")]


def _owner_errors(owners: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for owner in owners:
        version = owner.get("apiVersion") or ""
        if not version.rpartition("/")[2]:
            errors.append(invalid_value(f"{path}.apiVersion", version, "version must not be empty"))
        errors += [
            invalid_value(f"{path}.{field}", "", "must not be empty")
            for field in ("kind", "name", "uid")
            if not owner.get(field)
        ]
        if version == "v1" and owner.get("kind") == "Event":
            errors.append(invalid_value(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if not owner.get("controller"):
            continue
        this = f"{owner.get('kind')}/{owner.get('name')}"
        if controller:
            why = (
                "Only one reference can have Controller set to true. "
                f'Found "true" in references for {controller} and {this}'
            )
            errors.append(invalid_value(path, owners, why))
        controller = controller or this
    return errors


def _managed_fields_errors(entries: Sequence[Mapping[str, Any]], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        at = f"{path}[{index}]"
        operation = entry.get("operation") or ""
        if operation not in ("Apply", "Update"):
            errors.append(invalid_value(f"{at}.operation", operation, "must be `Apply` or `Update`"))
        fields_type = entry.get("fieldsType") or ""
        if fields_type not in ("", "FieldsV1"):
            errors.append(invalid_value(f"{at}.fieldsType", fields_type, "must be `FieldsV1`"))
        if len((entry.get("manager") or "").encode()) > MANAGER_LIMIT_B:
            errors.append(too_long(f"{at}.manager", MANAGER_LIMIT_B))
        if len((entry.get("subresource") or "").encode()) > SUBRESOURCE_LIMIT_B:
            errors.append(too_long(f"{at}.subresource", SUBRESOURCE_LIMIT_B))
    return errors
