"""TokenReview: whose is this token? SelfSubjectReview: who am I?"""

from __future__ import annotations

from wherry.apiserver.body import read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.objects.errors import bad_request


async def token_review(core: Core, call: Call, served: Served) -> Outcome:
    """Authenticate the token in the spec; 201. Raises ApiError (400)."""
    review = await read_object(core, call, served.resource)
    spec = review.get("spec") or {}
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    found = core.authenticator.review(spec["token"], spec.get("audiences") or core.authenticator.audiences)
    if found is None:
        review["status"] = {"user": {}, "error": "invalid bearer token"}
    else:
        user, audiences = found
        review["status"] = {"authenticated": True, "user": user.user_info(), "audiences": audiences}
    return Outcome(obj=review, status=201)


async def self_subject_review(core: Core, call: Call, served: Served) -> Outcome:
    """Tell the caller who they are; 201. Raises ApiError (400)."""
    review = await read_object(core, call, served.resource)
    review["metadata"]["creationTimestamp"] = core.timestamp()
    review["status"] = {"userInfo": call.user.user_info()}
    return Outcome(obj=review, status=201)
