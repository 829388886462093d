"""Controllers of installed packages, by entry points of the group `wherry.controllers`.

An entry point leads to a subclass of `Controller` with `rights`: what it may do, beside reading from the
cache all controllers share. It acts as a service account of its own, whatever `account` it declares.
"""

from __future__ import annotations

import logging
from functools import lru_cache

from wherry.controllers.base import Controller
from wherry.controllers.catalog import known_names
from wherry.kit.entry_points import offered
from wherry.objects.names import dns1123_label_errors

log = logging.getLogger(__name__)

GROUP = "wherry.controllers"


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
            found.append(as_installed(kind, name))
    return tuple(found)


def as_installed(kind: type[Controller], name: str) -> type[Controller]:
    """The controller as it runs: under its name, as an account of its own, and unable to end the process."""
    own = {"name": name, "account": f"installed-{name}", "is_installed": True}
    return type(kind.__name__, (kind,), own)
