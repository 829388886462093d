"""Which requests a rule of a FlowSchema is about: subjects, resources, URLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.validation import check_text
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

GROUP, SERVICE_ACCOUNT, USER = "Group", "ServiceAccount", "User"
_SUBJECTS = {GROUP: "group", SERVICE_ACCOUNT: "serviceAccount", USER: "user"}
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_ANYWHERE = "resource rules that are not cluster scoped must supply at least one namespace"
_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label; "
Fields = Mapping[str, Any]


def rule_errors(rule: Fields, path: str) -> list[FieldError]:
    """A `PolicyRulesWithSubjects`."""
    errors: list[FieldError] = []
    if not rule.get("subjects"):
        errors.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    for index, subject in enumerate(rule.get("subjects") or ()):
        errors += _subject_errors(subject, f"{path}.subjects[{index}]")
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        errors.append(required(path, why))
    for index, part in enumerate(rule.get("resourceRules") or ()):
        errors += _resource_errors(part, f"{path}.resourceRules[{index}]")
    for index, part in enumerate(rule.get("nonResourceRules") or ()):
        errors += _url_rule_errors(part, f"{path}.nonResourceRules[{index}]")
    return errors


def _subject_errors(subject: Fields, path: str) -> list[FieldError]:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        return [not_supported(f"{path}.kind", kind, sorted(_SUBJECTS))]
    word = _SUBJECTS[kind]
    told, at = subject.get(word), f"{path}.{word}"
    errors: list[FieldError] = []
    if told is None:
        errors.append(required(at, f"{word} is required when subject kind is '{kind}'"))
    else:
        errors += _account_errors(told, at) if kind == SERVICE_ACCOUNT else _name_errors(told, at)
    return errors + [
        forbidden_value(f"{path}.{other}", f"{other} is forbidden when subject kind is not '{whose}'")
        for whose, other in sorted(_SUBJECTS.items(), reverse=True)
        if whose != kind and subject.get(other) is not None
    ]


def _name_errors(told: Fields, path: str) -> list[FieldError]:
    return [] if told.get("name") else [required(f"{path}.name")]


def _account_errors(told: Fields, path: str) -> list[FieldError]:
    name, namespace = told.get("name"), told.get("namespace")
    errors = _name_errors(told, path)
    if name and name != "*":
        errors += check_text(f"{path}.name", name, dns1123_subdomain_errors)
    if namespace:
        return errors + check_text(f"{path}.namespace", namespace, dns1123_label_errors)
    return [*errors, required(f"{path}.namespace", "must specify namespace for service account")]


def _verb_errors(verbs: Sequence[str], path: str) -> list[FieldError]:
    if not verbs:
        return [required(f"{path}.verbs", "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone_errors(verbs, f"{path}.verbs", "verbs")
    if set(verbs) <= set(_VERBS):
        return []
    return [not_supported(f"{path}.verbs", list(verbs), _VERBS)]


def _alone_errors(values: Sequence[str], path: str, what: str) -> list[FieldError]:
    if "*" not in values or len(values) == 1:
        return []
    return [invalid_value(path, list(values), f"if '*' is present, must not specify other {what}")]


def _resource_errors(rule: Fields, path: str) -> list[FieldError]:
    errors = _verb_errors(rule.get("verbs") or (), path)
    for name, one, many in (
        ("apiGroups", "api group", "api groups"),
        ("resources", "resource", "resources"),
    ):
        values = rule.get(name) or ()
        if not values:
            errors.append(required(f"{path}.{name}", f"resource rules must supply at least one {one}"))
        errors += _alone_errors(values, f"{path}.{name}", many)
    namespaces = rule.get("namespaces") or ()
    if not namespaces and not rule.get("clusterScope"):
        return [*errors, required(f"{path}.namespaces", _ANYWHERE)]
    if "*" in namespaces:
        return errors + _alone_errors(namespaces, f"{path}.namespaces", "namespaces")
    return errors + [
        invalid_value(f"{path}.namespaces[{index}]", namespace, _NAMESPACE + text)
        for index, namespace in enumerate(namespaces)
        for text in dns1123_label_errors(namespace)
    ]


def _url_rule_errors(rule: Fields, path: str) -> list[FieldError]:
    errors = _verb_errors(rule.get("verbs") or (), path)
    urls, at = rule.get("nonResourceURLs") or (), f"{path}.nonResourceURLs"
    if not urls:
        return [*errors, required(at, "nonResourceURLs must contain at least one value")]
    if "*" in urls:
        return errors + _alone_errors(urls, at, "non-resource URLs")
    return errors + [
        invalid_value(f"{at}[{index}]", url, wrong)
        for index, url in enumerate(urls)
        if (wrong := _wrong_url(url))
    ]


def _wrong_url(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    if "*" in url and (url.count("*") > 1 or not url.endswith("/*")):
        return "wildcard can only do suffix matching"
    return ""
