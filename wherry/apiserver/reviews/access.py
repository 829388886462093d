"""The SubjectAccessReview family: may this user do that?"""

from __future__ import annotations

from wherry.apiserver.body import read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.objects.errors import ApiError, FieldError, bad_request, invalid, invalid_value
from wherry.objects.meta import Object


def subject_access_review(core: Core, call: Call, served: Served) -> Outcome:
    """May the user in the spec do what is in the spec? 201. Raises ApiError (400, 422)."""
    review = read_object(call, served.resource)
    spec = review.get("spec") or {}
    return _answer(core, review, _user(spec, served), _asked(spec, served))


def local_subject_access_review(core: Core, call: Call, served: Served) -> Outcome:
    """The same within the request's namespace. Raises ApiError (400, 422)."""
    review = read_object(call, served.resource)
    spec = review.get("spec") or {}
    info = _asked(spec, served)
    if info.namespace != call.info.namespace:
        raise bad_request(f"spec.resourceAttributes.namespace must match namespace: {call.info.namespace}")
    review["metadata"]["namespace"] = call.info.namespace
    return _answer(core, review, _user(spec, served), info)


def self_subject_access_review(core: Core, call: Call, served: Served) -> Outcome:
    """May the caller do what is in the spec? 201. Raises ApiError (400, 422)."""
    review = read_object(call, served.resource)
    return _answer(core, review, call.user, _asked(review.get("spec") or {}, served))


def self_subject_rules_review(core: Core, call: Call, served: Served) -> Outcome:
    """What may the caller do in a namespace? 201. Raises ApiError (400)."""
    review = read_object(call, served.resource)
    namespace = (review.get("spec") or {}).get("namespace")
    if not namespace:
        raise bad_request("no namespace on request")
    rules = core.authorizer.rules_for(call.user, namespace)
    review["status"] = {
        "resourceRules": [rule for rule in rules if rule.get("resources")],
        "nonResourceRules": [
            {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
            for rule in rules
            if rule.get("nonResourceURLs")
        ],
        "incomplete": False,
    }
    return Outcome(obj=review, status=201)


def _answer(core: Core, review: Object, user: User, info: RequestInfo) -> Outcome:
    decision = core.authorizer.decide(user, info)
    status: Object = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    review["status"] = status
    return Outcome(obj=review, status=201)


def _user(spec: Object, served: Served) -> User:
    if not spec.get("user") and not spec.get("groups"):
        raise _invalid(
            served,
            invalid_value(
                "spec.user", spec.get("user") or "", "at least one of user or group must be specified"
            ),
        )
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _asked(spec: Object, served: Served) -> RequestInfo:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is None:
        fields = ("group", "version", "namespace", "resource", "name", "subresource")
        return RequestInfo(resource.get("verb") or "", "", True, *(resource.get(f) or "" for f in fields))
    if path is not None and resource is None:
        return RequestInfo(path.get("verb") or "", path.get("path") or "", False)
    why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    raise _invalid(served, invalid_value("spec.resourceAttributes", resource, why))


def _invalid(served: Served, problem: FieldError) -> ApiError:
    return invalid(served.resource.kind, served.resource.group, "", [problem])
