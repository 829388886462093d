"""GET of one object: the bytes the cacher holds.

The cacher never lags behind an acknowledged write, so every resourceVersion up to the store's own
is satisfied at once; one from the future is refused as upstream refuses it after waiting.
"""

from __future__ import annotations

from wherry.apiserver.call import Call, Outcome, Result
from wherry.apiserver.core import Core
from wherry.apiserver.options import version_number
from wherry.apiserver.presentation import wants_protobuf
from wherry.apiserver.protobuf import is_large, large_in_protobuf, object_in_protobuf
from wherry.apiserver.registry import Served
from wherry.objects.errors import server_timeout


def get(core: Core, call: Call, served: Served) -> Result:
    """The object named in the call. Raises ApiError (400, 404, 504)."""
    info = call.info
    check_reached(core, call.query.get("resourceVersion", ""))
    cached = served.get(info.namespace, info.name)
    if cached is None:
        raise served.absent(info.namespace, info.name)
    if wants_protobuf(core, call):
        if is_large(served, cached):
            return large_in_protobuf(core, call, served, cached)
        return object_in_protobuf(served, cached)
    return Outcome(data=served.data(cached))


def check_reached(core: Core, revision: str) -> int:
    """The asked-for revision as a number, 0 if none. Raises ApiError for one not reached yet."""
    number = version_number(revision)
    if number > core.store.revision:
        error = server_timeout(f"Too large resource version: {number}, current: {core.store.revision}")
        error.details["causes"] = [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        ]
        raise error
    return number
