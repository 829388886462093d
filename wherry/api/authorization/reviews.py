"""What an access review must say to be answered, for all kinds of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.objects.errors import FieldError, forbidden_value, invalid_value, required
from wherry.objects.meta import Object, metadata

_ONE_KIND = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
_TOGETHER = "cannot be specified in combination with resourceAttributes"
_NOBODY = "at least one of user or group must be specified"
_RESOURCE, _PATH = "spec.resourceAttributes", "spec.nonResourceAttributes"


def subject_review_errors(review: Object) -> list[FieldError]:
    """A `SubjectAccessReview`: may they?"""
    return _spec_errors(review) + _subject_errors(review) + _meta_errors(review)


def self_review_errors(review: Object) -> list[FieldError]:
    """A `SelfSubjectAccessReview`: may I?"""
    return _spec_errors(review) + _meta_errors(review)


def local_review_errors(review: Object) -> list[FieldError]:
    """A `LocalSubjectAccessReview`: may they, in this namespace?"""
    spec, namespace = review.get("spec") or {}, metadata(review).get("namespace") or ""
    errors = _spec_errors(review) + _subject_errors(review)
    errors += _meta_errors(review, "must be empty except for namespace", may_have=("namespace",))
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and (resource.get("namespace") or "") != namespace:
        where = resource.get("namespace") or ""
        errors.append(invalid_value(f"{_RESOURCE}.namespace", where, "must match metadata.namespace"))
    if path is not None:
        errors.append(invalid_value(_PATH, path, "disallowed on this kind of request"))
    return errors


def _spec_errors(review: Object) -> list[FieldError]:
    spec = review.get("spec") or {}
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    errors: list[FieldError] = []
    if resource is not None and path is not None:
        errors.append(invalid_value(_PATH, path, _TOGETHER))
    if resource is None and path is None:
        errors.append(invalid_value(_RESOURCE, None, _ONE_KIND))
    for name in ("fieldSelector", "labelSelector"):
        if resource is not None and resource.get(name) is not None:
            errors += _selector_errors(resource[name], f"{_RESOURCE}.{name}")
    return errors


def _subject_errors(review: Object) -> list[FieldError]:
    spec = review.get("spec") or {}
    if spec.get("user") or spec.get("groups"):
        return []
    return [invalid_value("spec.user", spec.get("user") or "", _NOBODY)]


def _meta_errors(
    review: Object, why: str = "must be empty", may_have: tuple[str, ...] = ()
) -> list[FieldError]:
    meta = metadata(review)
    given = {name for name, value in meta.items() if value} - {"managedFields", *may_have}
    return [invalid_value("metadata", meta, why)] if given else []


def _selector_errors(selector: Mapping[str, Any], path: str) -> list[FieldError]:
    raw, requirements = selector.get("rawSelector"), selector.get("requirements") or ()
    errors: list[FieldError] = []
    if raw and requirements:
        why = "may not specified at the same time as requirements"
        errors.append(invalid_value(f"{path}.rawSelector", raw, why))
    if not raw and not requirements:
        why = f"when {path} is specified, requirements or rawSelector is required"
        errors.append(required(f"{path}.requirements", why))
    for index, requirement in enumerate(requirements):
        at, operator = f"{path}.requirements[{index}]", requirement.get("operator") or ""
        if operator in ("In", "NotIn") and not requirement.get("values"):
            why = "must be specified when `operator` is 'In' or 'NotIn'"
            errors.append(required(f"{at}.values", why))
        if operator in ("Exists", "DoesNotExist") and requirement.get("values"):
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden_value(f"{at}.values", why))
        if not requirement.get("key"):
            errors.append(required(f"{at}.key", "must be specified"))
    return errors
