"""Admission of reviews: stored nowhere, but webhooks may be asked about them as about any creation."""

from __future__ import annotations

from wherry.apiserver.admission.base import CREATE, REVIEW_GROUPS, Attributes
from wherry.apiserver.body import read_object
from wherry.apiserver.call import AnyOutcome, Call, Result
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.reviews.catalog import review_of
from wherry.objects.meta import name_of


def review(core: Core, call: Call, served: Served) -> Result:
    """Answer a POST of a kind that is not stored; at once when nobody is to be asked. Raises ApiError."""
    answer = review_of(served.resource)
    # The built-in plugins have nothing to say about what is not stored.
    is_asked_about = core.admission.concerned(core, served.resource, "", CREATE).asks_outside
    if is_asked_about and served.resource.group in REVIEW_GROUPS:
        return _admitted(core, call, served)
    return answer(core, call, served)


async def _admitted(core: Core, call: Call, served: Served) -> AnyOutcome:
    obj = await read_object(core, call, served.resource)
    attributes = Attributes.of(core, call, served, CREATE, obj, None, name=name_of(obj), subresource="")
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)
    changed = Call(call.info, call.user, call.query, obj, call.content_type, call.headers, call.request)
    changed.warnings = call.warnings
    result = review_of(served.resource)(core, changed, served)
    return result if not hasattr(result, "__await__") else await result
