"""`status`: written by controllers, without touching what users wrote."""

from __future__ import annotations

from wherry.apiserver.call import AnyOutcome, Call, settle
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.get import get
from wherry.apiserver.verbs.patch import patch_with
from wherry.apiserver.verbs.update import replace
from wherry.apiserver.verbs.write import status_rules


async def status(core: Core, call: Call, served: Served) -> AnyOutcome:
    """GET, PUT or PATCH of an object's status. Raises ApiError."""
    if call.info.verb == "get":
        return await settle(get(core, call, served))
    rules = status_rules(served.resource.strategy)
    if call.info.verb == "update":
        return await replace(core, call, served, rules)
    return await patch_with(core, call, served, rules)
