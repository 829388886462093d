"""What a CustomResourceDefinition may say, apart from what stands in its versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from wherry.api.apiextensions.version_rules import versions_errors
from wherry.api.validation import check_text, validate_immutable, validate_one_of
from wherry.api.validation.webhooks import webhook_client_errors
from wherry.objects.conditions import is_true
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required
from wherry.objects.meta import Object, metadata, name_of
from wherry.objects.names import dns1035_label_errors, dns1123_subdomain_errors
from wherry.objects.repeats import repeated

APPROVAL = "api-approved.kubernetes.io"
"""The annotation definitions in Kubernetes' own groups need."""
REVIEW_VERSIONS = ("v1", "v1beta1")
_SCOPES = ("Cluster", "Namespaced")
_STRATEGIES = ("None", "Webhook")
_MIXED_CASE = "may have mixed case, but should otherwise match: "
_NOT_WEBHOOK = "should not be set when strategy is not set to Webhook"
_PRESERVING = (
    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
)
_APPROVAL_NEEDED = f'protected groups must have approval annotation "{APPROVAL}"'
_APPROVAL_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
Fields = Mapping[str, Any]


def definition_errors(new: Object, old: Object | None) -> list[FieldError]:
    """A definition, on create and on update."""
    spec = new.get("spec") or {}
    before = (old or {}).get("spec") or {}
    names, versions = spec.get("names") or {}, spec.get("versions") or []
    errors: list[FieldError] = []
    if name_of(new) != f"{names.get('plural') or ''}.{spec.get('group') or ''}":
        why = 'must be spec.names.plural+"."+spec.group'
        errors.append(invalid_value("metadata.name", name_of(new), why))
    errors += _group_errors(spec.get("group") or "")
    errors += validate_one_of("spec.scope", spec.get("scope"), _SCOPES)
    errors += _versions_errors(versions)
    for name in ("plural", "singular", "kind", "listKind"):
        if not names.get(name):
            errors.append(required(f"spec.names.{name}"))
    errors += _names_errors(names, "spec.names")
    errors += _conversion_errors(spec.get("conversion") or {}, before.get("conversion"))
    if old is not None:
        errors += _change_errors(spec, old)
    errors += status_errors(new, old)
    errors += _stored_errors(new, versions)
    errors += _approval_errors(new, old)
    if spec.get("preserveUnknownFields") and (old is None or not before.get("preserveUnknownFields")):
        errors.append(invalid_value("spec.preserveUnknownFields", True, _PRESERVING))
    return errors


def status_errors(new: Object, _old: Object | None) -> list[FieldError]:
    """The names in the status are names, too."""
    return _names_errors((new.get("status") or {}).get("acceptedNames") or {}, "status.acceptedNames")


def _group_errors(group: str) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    if wrong := dns1123_subdomain_errors(group):
        return [invalid_value("spec.group", group, ",".join(wrong))]
    if "." not in group:
        return [invalid_value("spec.group", group, "should be a domain with at least one dot")]
    return []


def _versions_errors(versions: Sequence[Fields]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, version in enumerate(versions):
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            path = f"spec.versions[{index}].schema.openAPIV3Schema"
            errors.append(required(path, "schemas are required"))
    if versions and not errors:
        errors += versions_errors(versions)
    for index, version in enumerate(versions):
        name = version.get("name") or ""
        if wrong := dns1035_label_errors(name):
            errors.append(invalid_value(f"spec.versions[{index}].name", name, ",".join(wrong)))
    shown = [dict(version) for version in versions]
    if len({version.get("name") for version in versions}) != len(versions):
        errors.append(invalid_value("spec.versions", shown, "must contain unique version names"))
    if sum(1 for version in versions if version.get("storage")) != 1:
        why = "must have exactly one version marked as storage version"
        errors.append(invalid_value("spec.versions", shown, why))
    return errors


def _names_errors(names: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("plural", "singular", "kind", "listKind"):
        text = names.get(name) or ""
        is_kind = name in ("kind", "listKind")
        wrong = dns1035_label_errors(text.lower() if is_kind else text) if text else []
        if wrong:
            why = (_MIXED_CASE if is_kind else "") + ",".join(wrong)
            errors.append(invalid_value(f"{path}.{name}", text, why))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        why = "kind and listKind may not be the same"
        errors.append(invalid_value(f"{path}.listKind", names["listKind"], why))
    for name in ("shortNames", "categories"):
        for index, text in enumerate(names.get(name) or ()):
            if wrong := dns1035_label_errors(text):
                errors.append(invalid_value(f"{path}.{name}[{index}]", text, ",".join(wrong)))
    return errors


def _conversion_errors(conversion: Fields, before: Fields | None) -> list[FieldError]:
    """How objects get from version to version; the paths are those of upstream's inner form."""
    path, strategy = "spec.conversion", conversion.get("strategy")
    webhook = conversion.get("webhook") or {}
    client, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    errors = validate_one_of(f"{path}.strategy", strategy, _STRATEGIES)
    if strategy != "Webhook":
        if client is not None:
            errors.append(forbidden_value(f"{path}.webhookClientConfig", _NOT_WEBHOOK))
        if versions:
            errors.append(forbidden_value(f"{path}.conversionReviewVersions", _NOT_WEBHOOK))
        return errors
    if client is None:
        why = "required when strategy is set to Webhook"
        errors.append(required(f"{path}.webhookClientConfig", why))
    else:
        errors += webhook_client_errors(client, f"{path}.webhookClientConfig")
    stored = ((before or {}).get("webhook") or {}).get("conversionReviewVersions") or []
    must_know = not stored or bool(set(stored) & set(REVIEW_VERSIONS))
    return errors + _review_errors(versions, f"{path}.conversionReviewVersions", must_know=must_know)


def _review_errors(versions: Sequence[str], path: str, *, must_know: bool) -> list[FieldError]:
    if not versions:
        return [required(path)]
    errors: list[FieldError] = []
    twice = dict(repeated(versions))
    for index, version in enumerate(versions):
        at = f"{path}[{index}]"
        if index in twice:
            errors.append(invalid_value(at, version, "duplicate version"))
        else:
            errors += check_text(at, version, dns1035_label_errors)
    if must_know and not set(versions) & set(REVIEW_VERSIONS):
        why = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        errors.append(invalid_value(path, list(versions), why))
    return errors


def _change_errors(spec: Fields, old: Object) -> list[FieldError]:
    """What objects are stored under stays; once established, what clients know them by does too."""
    before = old.get("spec") or {}
    names, old_names = spec.get("names") or {}, before.get("names") or {}
    errors: list[FieldError] = []
    if is_true((old.get("status") or {}).get("conditions"), "Established"):
        errors += validate_immutable("spec.scope", spec.get("scope"), before.get("scope"))
        errors += validate_immutable("spec.names.kind", names.get("kind"), old_names.get("kind"))
    errors += validate_immutable("spec.group", spec.get("group"), before.get("group"))
    return errors + validate_immutable("spec.names.plural", names.get("plural"), old_names.get("plural"))


def _stored_errors(new: Object, versions: Sequence[Fields]) -> list[FieldError]:
    """A version objects may be stored in stays in the definition."""
    stored = (new.get("status") or {}).get("storedVersions") or []
    known = {version.get("name") for version in versions}
    return [
        invalid_value(
            f"status.storedVersions[{index}]",
            version,
            f"missing from spec.versions; {version} was previously a storage version, and must remain in "
            "spec.versions until a storage migration ensures no data remains persisted in "
            f"{version} and removes {version} from status.storedVersions",
        )
        for index, version in enumerate(stored)
        if version not in known
    ]


def _approval_errors(new: Object, old: Object | None) -> list[FieldError]:
    """Kubernetes' own groups are for definitions its reviewers have seen, or that say they have not."""
    group = (new.get("spec") or {}).get("group") or ""
    if not group.endswith((".k8s.io", ".kubernetes.io")) and group not in ("k8s.io", "kubernetes.io"):
        return []
    value, path = _approval(new), f"metadata.annotations[{APPROVAL}]"
    if old is not None and value == _approval(old):
        return []
    if not value:
        return [required(path, f"{_APPROVAL_NEEDED}, {_APPROVAL_SEE}")]
    parts = urlsplit(value)
    if value.startswith("unapproved") or (parts.scheme and parts.netloc):
        return []
    why = f'{_APPROVAL_NEEDED} with either a URL or a reason starting with "unapproved", {_APPROVAL_SEE}'
    return [invalid_value(path, value, why)]


def _approval(obj: Object) -> str:
    found: str = (metadata(obj).get("annotations") or {}).get(APPROVAL) or ""
    return found
