"""`pods/ephemeralcontainers` and `pods/resize`: the two doors to a running pod's spec."""

from __future__ import annotations

from wherry.api.core.pod_ephemeral import prepare_ephemeral
from wherry.api.core.pod_resize import prepare_resize, validate_resize_update
from wherry.api.core.pods import validate_ephemeral_update
from wherry.apiserver.call import AnyOutcome, Call, settle
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.get import get
from wherry.apiserver.verbs.patch import patch_with
from wherry.apiserver.verbs.update import replace
from wherry.apiserver.verbs.write import Rules


async def ephemeral_containers(core: Core, call: Call, served: Served) -> AnyOutcome:
    """GET, PUT or PATCH; only `spec.ephemeralContainers` can change. Raises ApiError."""
    return await _through(core, call, served, Rules(prepare_ephemeral, validate_ephemeral_update))


async def resize(core: Core, call: Call, served: Served) -> AnyOutcome:
    """GET, PUT or PATCH; only the containers' resources can change. Raises ApiError."""
    return await _through(core, call, served, Rules(prepare_resize, validate_resize_update))


async def _through(core: Core, call: Call, served: Served, rules: Rules) -> AnyOutcome:
    if call.info.verb == "get":
        return await settle(get(core, call, served))
    if call.info.verb == "update":
        return await replace(core, call, served, rules)
    return await patch_with(core, call, served, rules)
