"""DELETE of a collection: every object the selectors let through, a few at a time."""

from __future__ import annotations

import asyncio
from collections import deque

from wherry.apiserver.body import read_options
from wherry.apiserver.cacher import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import (
    IGNORE_READ_ERROR,
    META_GROUP,
    DeleteOptions,
    delete_options,
    list_options,
)
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.delete import delete_object
from wherry.apiserver.verbs.list import page, piece_bytes_for, whole_or_pieces
from wherry.objects.errors import ApiError, invalid, invalid_value

CONCURRENT_DELETIONS = 16


async def delete_collection(core: Core, call: Call, served: Served) -> Outcome:
    """Delete the objects of the collection; a List of what was there. Raises ApiError.

    The first that cannot be deleted ends it: nothing more is begun then, and what was begun is finished.
    """
    options = delete_options(call.query, read_options(call))
    if options.ignores_read_error:
        why = "is not allowed with DELETECOLLECTION, try again after removing the option"
        raise invalid("DeleteOptions", META_GROUP, "", [invalid_value(IGNORE_READ_ERROR, True, why)])
    listed, meta = await page(core, call, served, list_options(call.query))
    left = deque(listed.items)

    async def work() -> None:
        try:
            while left:
                await _delete_one(core, call, served, left.popleft(), options)
        except BaseException:
            left.clear()
            raise

    workers = (work() for _ in range(min(CONCURRENT_DELETIONS, len(left))))
    for ended in await asyncio.gather(*workers, return_exceptions=True):
        if ended is not None:
            raise ended
    return whole_or_pieces(served, listed, meta, piece_bytes_for(core, call))


async def _delete_one(core: Core, call: Call, served: Served, cached: Cached, options: DeleteOptions) -> None:
    info = call.info._replace(namespace=cached.namespace, name=cached.name)
    one = Call(info, call.user, call.query, None, call.content_type, call.headers)
    one.warnings = call.warnings
    try:
        await delete_object(core, one, served, cached.name, options)
    except ApiError as error:
        if error.code != 404:  # somebody else was faster, which is fine
            raise
    finally:
        for key, value in (one.annotations or {}).items():
            call.annotate(key, value)
