"""Which function answers which kind that is not stored."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from wherry.api.resource import Resource
from wherry.apiserver.call import Call, Result
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.objects.errors import path_not_found

Review = Callable[[Core, Call, Served], Result]

_PLACES = {
    "tokenreviews": "tokens:token_review",
    "selfsubjectreviews": "tokens:self_subject_review",
    "subjectaccessreviews": "access:subject_access_review",
    "localsubjectaccessreviews": "access:local_subject_access_review",
    "selfsubjectaccessreviews": "access:self_subject_access_review",
    "selfsubjectrulesreviews": "access:self_subject_rules_review",
    "bindings": "bindings:create_binding",
    "poddecisions": "decisions:pod_decision",
    "poddecisionreviews": "decisions:pod_decision_review",
}


def review_of(resource: Resource) -> Review:
    """The function that answers what is asked of this kind. Raises ApiError (404) when there is none."""
    place = _PLACES.get(resource.plural)
    if place is None:
        raise path_not_found()
    module, _, function = place.partition(":")
    found: Review = getattr(import_module(f"wherry.apiserver.reviews.{module}"), function)
    return found
