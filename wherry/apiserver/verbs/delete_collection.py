"""DELETE of a collection: every object the selectors let through, a few at a time."""

from __future__ import annotations

import asyncio

from wherry.apiserver.body import read_options
from wherry.apiserver.cacher import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import delete_options, list_options
from wherry.apiserver.registry import Served
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.verbs.delete import delete_object
from wherry.apiserver.verbs.list import page, render
from wherry.objects.errors import ApiError

CONCURRENT_DELETIONS = 16


async def delete_collection(core: Core, call: Call, served: Served) -> Outcome:
    """Delete the objects of the collection; a List of what was there. Raises ApiError."""
    options = delete_options(call.query, read_options(call))
    listed, meta = await page(core, call, served, list_options(call.query))
    slots = asyncio.Semaphore(CONCURRENT_DELETIONS)

    async def delete_one(cached: Cached) -> None:
        one = Call(_info_of(call.info, cached), call.user, call.query, None, call.content_type, call.headers)
        one.warnings = call.warnings
        async with slots:
            try:
                await delete_object(core, one, served, cached.name, options)
            except ApiError as error:
                if error.code != 404:  # somebody else was faster, which is fine
                    raise

    await asyncio.gather(*(delete_one(cached) for cached in listed.items))
    return Outcome(data=render(served, listed, meta))


def _info_of(info: RequestInfo, cached: Cached) -> RequestInfo:
    return info._replace(namespace=cached.namespace, name=cached.name)
