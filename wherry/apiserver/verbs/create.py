"""POST to a collection."""

from __future__ import annotations

from wherry.apiserver.body import read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import check_write_options
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.write import create_object


async def create(core: Core, call: Call, served: Served) -> Outcome:
    """Store the body as a new object; 201. Raises ApiError (400, 403, 404, 409, 415, 422)."""
    check_write_options(call.query, "CreateOptions")
    obj = await read_object(core, call, served.resource, is_known=core.registry.knows)
    return await create_object(core, call, served, obj)
