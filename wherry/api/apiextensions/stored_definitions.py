"""CustomResourceDefinitions as they are stored: in v1beta1, as upstream still does, for it is shorter.

There, what all versions have alike (schema, subresources, columns, selectable fields) stands once beside
them, the webhook's parts stand in `conversion` itself, and a column's path is its `JSONPath`. Both
conversions return a new object and share what stays the same.
"""

from __future__ import annotations

from typing import Any

from wherry.objects.meta import Object

STORED, SERVED = "apiextensions.k8s.io/v1beta1", "apiextensions.k8s.io/v1"

_COMMON = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}
"""Field of a version, and its name where it stands once for all."""


def to_v1beta1(crd: Object) -> Object:
    """The form a v1 definition is stored in."""
    made = {**crd, "apiVersion": STORED}
    spec = crd.get("spec")
    if not spec:
        return made
    versions = [_with_columns(version, "jsonPath", "JSONPath") for version in spec.get("versions") or ()]
    new = {name: value for name, value in spec.items() if name not in ("versions", "conversion")}
    if versions:
        new["version"] = versions[0].get("name", "")
        new["versions"] = versions
    for field, common in _COMMON.items():
        first = versions[0].get(field) if versions else None
        if first and all(version.get(field) == first for version in versions):
            new[common] = first
            for version in versions:
                del version[field]
    if conversion := spec.get("conversion"):
        new["conversion"] = _flat(conversion)
    new["preserveUnknownFields"] = bool(spec.get("preserveUnknownFields"))
    made["spec"] = new
    return made


def from_v1beta1(crd: Object) -> Object:
    """The v1 form of a stored definition, whichever program stored it."""
    made = {**crd, "apiVersion": SERVED}
    spec = crd.get("spec")
    if not spec:
        return made
    gone = {"version", "versions", "conversion", "preserveUnknownFields", *_COMMON.values()}
    new = {name: value for name, value in spec.items() if name not in gone}
    only = {"name": spec.get("version", ""), "served": True, "storage": True}
    versions = [dict(version) for version in spec.get("versions") or (only,)]
    for field, common in _COMMON.items():
        if spec.get(common):
            for version in versions:
                version.setdefault(field, spec[common])
    new["versions"] = [_with_columns(version, "JSONPath", "jsonPath") for version in versions]
    if conversion := spec.get("conversion"):
        new["conversion"] = _nested(conversion)
    if spec.get("preserveUnknownFields", True):
        new["preserveUnknownFields"] = True
    made["spec"] = new
    return made


def _with_columns(version: Object, before: str, after: str) -> Object:
    """A copy of a version with its columns' paths under another name."""
    columns: Any = version.get("additionalPrinterColumns")
    if not columns:
        return dict(version)
    renamed = [
        {after if name == before else name: value for name, value in column.items()} for column in columns
    ]
    return {**version, "additionalPrinterColumns": renamed}


def _flat(conversion: Object) -> Object:
    webhook = conversion.get("webhook") or {}
    made = {name: value for name, value in conversion.items() if name != "webhook"}
    if webhook.get("clientConfig") is not None:
        made["webhookClientConfig"] = webhook["clientConfig"]
    if webhook.get("conversionReviewVersions") is not None:
        made["conversionReviewVersions"] = webhook["conversionReviewVersions"]
    return made


def _nested(conversion: Object) -> Object:
    made = {
        name: value
        for name, value in conversion.items()
        if name not in ("webhookClientConfig", "conversionReviewVersions")
    }
    webhook: Object = {}
    if conversion.get("webhookClientConfig") is not None:
        webhook["clientConfig"] = conversion["webhookClientConfig"]
        webhook["conversionReviewVersions"] = conversion.get("conversionReviewVersions") or []
    return {**made, "webhook": webhook} if webhook else made
