"""POST of a Binding to the namespace: the old form of `pods/binding`."""

from __future__ import annotations

from wherry.api.core.pods import PODS
from wherry.apiserver.body import read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.subresources.binding import binding
from wherry.objects.errors import bad_request
from wherry.objects.meta import name_of


async def create_binding(core: Core, call: Call, served: Served) -> Outcome:
    """Bind the pod the binding is named after. Raises ApiError."""
    body = await read_object(core, call, served.resource)
    if not name_of(body):
        raise bad_request("metadata.name must name the pod")
    pods = core.registry.of(PODS)
    info = call.info._replace(resource="pods", name=name_of(body), subresource="binding")
    return await binding(core, Call(info, call.user, call.query, body, call.content_type, call.headers), pods)
