"""PUT: replace an object, or create it where the kind allows that."""

from __future__ import annotations

from wherry.apiserver.body import private_copy, read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import check_write_options
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.write import (
    Rules,
    create_object,
    is_taken,
    main_rules,
    set_namespace,
    update_object,
)
from wherry.objects.errors import ApiError, bad_request
from wherry.objects.meta import Object


async def update(core: Core, call: Call, served: Served) -> Outcome:
    """Replace the object by the body; 200. Raises ApiError (400, 403, 404, 409, 415, 422)."""
    strategy = served.resource.strategy
    info = call.info
    if strategy.creates_on_update and served.get(info.namespace, info.name) is None:
        obj = await read_replacement(core, call, served)
        try:
            return await create_object(core, call, served, obj)
        except ApiError as error:
            if not is_taken(error, served, info):
                raise
            # Somebody else created it meanwhile: then it is that which is replaced.
    return await replace(core, call, served, main_rules(served.resource))


async def replace(core: Core, call: Call, served: Served, rules: Rules) -> Outcome:
    """Replace the object by the body under `rules` (main, status ...). Raises ApiError."""
    check_write_options(call.query, "UpdateOptions")
    body = await read_replacement(core, call, served)
    return await update_object(core, call, served, lambda _: private_copy(body), rules)


async def read_replacement(core: Core, call: Call, served: Served) -> Object:
    """The body, which must name what the path names. Raises ApiError (400)."""
    obj = await read_object(core, call, served.resource, is_known=core.registry.knows)
    set_namespace(call, served.resource, obj)
    check_name(obj, call.info.name)
    return obj


def check_name(obj: Object, wanted: str) -> None:
    """Raise ApiError (400) unless the object is called what the path says."""
    name = obj["metadata"].get("name") or ""
    if not name:
        raise bad_request(
            f"the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
        )
    if name != wanted:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({wanted})")
