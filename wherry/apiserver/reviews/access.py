"""The SubjectAccessReview family: may this user do that?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import orjson

from wherry.api.authorization.reviews import (
    local_review_errors,
    self_review_errors,
    subject_review_errors,
)
from wherry.apiserver.beside import LARGE, beside
from wherry.apiserver.body import read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.objects.errors import FieldError, bad_request, invalid
from wherry.objects.meta import Object

MOST_TOLD_BYTES = 1024 * 1024
"""How much of the rules somebody has a SelfSubjectRulesReview tells: upstream tells all."""
FEW_RULES = 500
"""More of them are gone through beside the loop."""
WRONG_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


async def subject_access_review(core: Core, call: Call, served: Served) -> Outcome:
    """May the user in the spec do what is in the spec? 201. Raises ApiError (400, 422)."""
    review = await read_object(core, call, served.resource)
    return await _about_a_user(core, call, served, review, subject_review_errors)


async def local_subject_access_review(core: Core, call: Call, served: Served) -> Outcome:
    """The same within the request's namespace. Raises ApiError (400, 422)."""
    review = await read_object(core, call, served.resource)
    found, namespace = review["metadata"].setdefault("namespace", call.info.namespace), call.info.namespace
    if found != namespace:
        raise bad_request(WRONG_NAMESPACE)
    return await _about_a_user(core, call, served, review, local_review_errors)


async def self_subject_access_review(core: Core, call: Call, served: Served) -> Outcome:
    """May the caller do what is in the spec? 201. Raises ApiError (400, 422)."""
    review = await read_object(core, call, served.resource)

    def asked() -> RequestInfo:
        _judge(review, served, self_review_errors)
        return _asked(review.get("spec") or {})

    return _answer(core, review, call.user, await beside(core, call, asked))


async def self_subject_rules_review(core: Core, call: Call, served: Served) -> Outcome:
    """What may the caller do in a namespace? 201. Raises ApiError (400)."""
    review = await read_object(core, call, served.resource)
    namespace = (review.get("spec") or {}).get("namespace")
    if not namespace:
        raise bad_request("no namespace on request")
    held = await core.authorizer.rules_for(call.user, namespace)
    size = LARGE if sum(map(len, held)) > FEW_RULES else 0
    status = await beside(core, call, lambda: _told(chain.from_iterable(held)), size)
    if why := core.authorizer.untold_for(call.user):
        status |= {"incomplete": True, "evaluationError": why}
    review["status"] = status
    return Outcome(obj=review, status=201)


def _told(rules: Iterable[Object]) -> Object:
    """The status of a SelfSubjectRulesReview. It ends where an answer would become too large, and says so."""
    resource_rules: list[Object] = []
    url_rules: list[Object] = []
    left = MOST_TOLD_BYTES
    for rule in rules:
        left -= len(orjson.dumps(rule))
        if left < 0:
            break
        if rule.get("resources"):
            resource_rules.append(rule)
        if rule.get("nonResourceURLs"):
            url_rules.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
    status: Object = {
        "resourceRules": resource_rules,
        "nonResourceRules": url_rules,
        "incomplete": left < 0,
    }
    if left < 0:
        status["evaluationError"] = (
            f"the rules come to more than {MOST_TOLD_BYTES} bytes: not all of them are told"
        )
    return status


def _answer(core: Core, review: Object, user: User, info: RequestInfo) -> Outcome:
    decision = core.authorizer.decide(user, info)
    status: Object = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    review["status"] = status
    return Outcome(obj=review, status=201)


async def _about_a_user(
    core: Core, call: Call, served: Served, review: Object, errors_of: Callable[[Object], list[FieldError]]
) -> Outcome:
    """The answer to a review that says who it is about. Raises ApiError (422)."""

    def asked() -> tuple[User, RequestInfo]:
        _judge(review, served, errors_of)
        spec = review.get("spec") or {}
        return _user(spec), _asked(spec)

    return _answer(core, review, *await beside(core, call, asked))


def _judge(review: Object, served: Served, errors_of: Callable[[Object], list[FieldError]]) -> None:
    if errors := errors_of(review):
        raise invalid(served.resource.kind, served.resource.group, "", errors)


def _user(spec: Object) -> User:
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _asked(spec: Object) -> RequestInfo:
    """What is asked about, in a review that makes sense."""
    resource = spec.get("resourceAttributes")
    if resource is not None:
        fields = ("group", "version", "namespace", "resource", "name", "subresource")
        info = RequestInfo(resource.get("verb") or "", "", True, *(resource.get(f) or "" for f in fields))
        return info._replace(of_node=_of_node(resource))
    path = spec.get("nonResourceAttributes") or {}
    return RequestInfo(path.get("verb") or "", path.get("path") or "", False)


def _of_node(resource: Object) -> str:
    """The node whose objects a list is limited to."""
    for requirement in (resource.get("fieldSelector") or {}).get("requirements") or ():
        values = list(requirement.get("values") or ())
        is_single = requirement.get("operator") == "In" and len(values) == 1
        if is_single and requirement.get("key") == "spec.nodeName":
            return str(values[0])
    return ""
