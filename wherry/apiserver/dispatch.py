"""From a permitted call to the verb that answers it.

The only place that knows which paths exist: unknown resources are 404, known ones asked for
something they do not offer 405. Verbs run at once when the resource's source is ready; otherwise
they wait for it.
"""

from __future__ import annotations

from collections.abc import Callable

from wherry.apiserver.call import AnyOutcome, Call, Result, settle
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.reviews.admitting import review
from wherry.apiserver.subresources.catalog import handler_of
from wherry.apiserver.verbs.create import create
from wherry.apiserver.verbs.delete import delete
from wherry.apiserver.verbs.delete_collection import delete_collection
from wherry.apiserver.verbs.get import get
from wherry.apiserver.verbs.list import list_
from wherry.apiserver.verbs.patch import patch
from wherry.apiserver.verbs.update import update
from wherry.apiserver.verbs.watch import watch
from wherry.objects.errors import method_not_allowed, path_not_found

Verb = Callable[[Core, Call, Served], Result]

VERBS: dict[str, Verb] = {
    "get": get,
    "list": list_,
    "watch": watch,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "deletecollection": delete_collection,
}
OF_OTHER_KINDS = frozenset({"scale", "rollback"})
"""Subresources whose body is no object of the resource, so that its deprecation is not theirs."""
OF_COLLECTIONS = frozenset({"list", "watch", "create", "deletecollection"})


def dispatch(core: Core, call: Call) -> Result:
    """Run what the call asks for. Raises ApiError, at once or when awaited."""
    if core.interceptor is not None:
        return core.interceptor(call, lambda: _dispatch(core, call))
    return _dispatch(core, call)


def _dispatch(core: Core, call: Call) -> Result:
    info, request = call.info, call.request
    if info.verb == "watch" and request is not None and request.method not in ("GET", "HEAD"):
        raise method_not_allowed()  # below /watch/ every method is authorized as a watch
    if core.aggregator.remotes:
        remote = core.aggregator.remotes.get((info.group, info.version))
        if remote is not None:
            from wherry.apiserver.aggregation.proxy import pass_on

            return pass_on(core, call, remote)
    served = core.registry.find(info.group, info.version, info.resource)
    if served is None:
        raise path_not_found()
    verb = _verb_of(call, served)
    if served.resource.deprecation and info.subresource not in OF_OTHER_KINDS:
        call.warnings.append(served.resource.deprecation)
    if served.source.is_ready or not served.has_storage:
        return verb(core, call, served)
    return _when_ready(core, call, served, verb)


async def _when_ready(core: Core, call: Call, served: Served, verb: Verb) -> AnyOutcome:
    await served.source.open()
    return await settle(verb(core, call, served))


def _verb_of(call: Call, served: Served) -> Verb:
    info, resource = call.info, served.resource
    if info.subresource:
        declared = resource.subresource(info.subresource)
        handler = handler_of(resource.plural, info.subresource) if declared is not None else None
        if declared is None or handler is None or (resource.namespaced and not info.namespace):
            raise path_not_found()
        if info.verb not in declared.verbs:
            raise method_not_allowed()
        return handler
    if info.namespace and not resource.namespaced and resource.plural != "namespaces":
        raise path_not_found()
    if info.verb not in served.verbs:
        raise method_not_allowed()
    if resource.namespaced and not info.namespace:
        if info.verb not in OF_COLLECTIONS:
            raise path_not_found()
        if info.verb in ("create", "deletecollection"):
            raise method_not_allowed()
    if info.name and info.verb == "create":
        raise method_not_allowed()
    if not info.name and info.verb not in OF_COLLECTIONS:
        raise method_not_allowed()
    return VERBS[info.verb] if served.has_storage else review
