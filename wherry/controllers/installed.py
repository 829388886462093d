"""Controllers of installed packages, by entry points of the group `wherry.controllers`.

An entry point leads to a subclass of `Controller` with `rights`: what it may do, beside reading from the
cache all controllers share. It acts as a service account of its own, whatever `account` it declares.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from functools import lru_cache
from numbers import Real
from typing import Any

from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Mapper
from wherry.controllers.catalog import known_names
from wherry.kit.entry_points import offered
from wherry.kit.guests import Told, async_guest, guest, saying
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object
from wherry.objects.names import dns1123_label_errors

log = logging.getLogger(__name__)

GROUP = "wherry.controllers"
MOST_WORKERS = 100
SHORTEST_WAIT_S = 1.0
"""A `sync` that asks to be called again sooner waits so long."""
LONGEST_CLOSE_S = 5.0


@lru_cache(1)
def installed_controllers() -> tuple[type[Controller], ...]:
    """All there are, read once; the name of the entry point is the controller's."""
    found = []
    taken = known_names()
    for name, kind in offered(GROUP):
        if not (isinstance(kind, type) and issubclass(kind, Controller)):
            log.error(
                "%s: %s is no subclass of wherry.controllers.base.Controller, and is left out", GROUP, name
            )
        elif name in taken or dns1123_label_errors(name):
            log.error("%s: %s is no name of a controller of its own, and is left out", GROUP, name)
        else:
            try:
                with guest("its class"):
                    found.append(as_installed(kind, name))
            except Exception as error:  # noqa: BLE001 - its metaclass may raise anything
                log.error("%s: %s: %s, and it is left out", GROUP, name, error)
    return tuple(found)


def as_installed(kind: type[Controller], name: str) -> type[Controller]:
    """The controller as it runs: under its name, as an account of its own, and unable to end the process.

    Raises ValueError for a number of workers nobody can run.
    """
    if type(kind.workers) is not int or not 1 <= kind.workers <= MOST_WORKERS:
        raise ValueError(f"workers must be a whole number from 1 to {MOST_WORKERS}")
    own = {"name": name, "account": f"installed-{name}", "is_installed": True}
    hooks = {"sync": _sync(kind, name), "map_event": _map_event(kind, name), "close": _close(kind, name)}
    return type(kind.__name__, (kind,), {**own, **hooks})


def _sync(kind: type[Controller], name: str) -> Callable[..., Any]:
    told = Told()

    async def sync(self: Controller, key: str) -> float | None:
        with async_guest(f"sync of the installed controller {name}"):
            again_s: Any = await kind.sync(self, key)
            if again_s is None:
                return None
            if not isinstance(again_s, Real) or not math.isfinite(again_s):
                raise ValueError("sync must return None, or after how many seconds to look again")
        if again_s < SHORTEST_WAIT_S and told.is_new(""):
            log.warning(
                "the installed controller %s asks for %s again after %s s; it gets %g s at least (told once)",
                name,
                key,
                again_s,
                SHORTEST_WAIT_S,
            )
        return max(float(again_s), SHORTEST_WAIT_S)

    return sync


def _map_event(kind: type[Controller], name: str) -> Callable[..., None]:
    told = Told()

    def map_event(self: Controller, resource: Resource, mapper: Mapper, *objects: Object | None) -> None:
        def keys(cache: Cache, old: Object | None, new: Object | None) -> list[str]:
            found = list(mapper(cache, old, new))
            if not all(isinstance(key, str) for key in found):
                raise ValueError("a mapper must name keys, which are texts")
            return found

        try:
            with guest("a mapper"):
                kind.map_event(self, resource, keys, *objects)
        except Exception as error:
            if told.is_new(saying(error)):
                log.exception("the installed controller %s failed on an event of %s", name, resource.plural)

    return map_event


def _close(kind: type[Controller], name: str) -> Callable[..., Coroutine[Any, Any, None]]:
    async def close(self: Controller) -> None:
        tasks = Tasks(f"closing the installed controller {name}", may_end_process=False)
        # Its own way first; what it leaves open is closed in any case.
        for work in dict.fromkeys((kind.close, Controller.close)):
            task = tasks.spawn(work(self), work.__qualname__)
            await asyncio.wait([task], timeout=LONGEST_CLOSE_S)
            if task.done():
                continue
            log.error("the installed controller %s did not close within %g s", name, LONGEST_CLOSE_S)
        await tasks.close()

    return close
