"""`namespaces/finalize`: the namespace controller lets go of an emptied namespace."""

from __future__ import annotations

from wherry.api.core.namespaces import NamespaceStrategy
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.update import replace
from wherry.apiserver.verbs.write import Rules
from wherry.objects.errors import internal


async def finalize(core: Core, call: Call, served: Served) -> Outcome:
    """Replace the namespace's finalizers; the last one gone, it goes too. Raises ApiError."""
    strategy = served.resource.strategy
    if not isinstance(strategy, NamespaceStrategy):
        raise internal(f"{served.resource.plural} cannot be finalized")
    return await replace(core, call, served, Rules(strategy.prepare_finalize, strategy.validate_finalize))
