"""Scheduler plug-ins of installed packages, by entry points of the group `wherry.scheduler.plugins`.

The name of the entry point is the plug-in's; it leads to a subclass of `Plugin` (mostly of `NodeByNode`),
made with its `pluginConfig` args as keyword arguments. What a plug-in raises, or answers in another form,
ends nobody's work (see `guard`); one that declares what cannot be reckoned with is logged and left out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from wherry.kit.entry_points import offered
from wherry.kit.guests import guest, saying
from wherry.scheduler.framework import Plugin, overrides
from wherry.scheduler.guard import check_declared, guarded
from wherry.scheduler.strict import ConfigurationError

log = logging.getLogger(__name__)

GROUP = "wherry.scheduler.plugins"


@dataclass(frozen=True, slots=True)
class Installed:
    """A plug-in of a package: its name, what makes it from arguments, and what it has to say."""

    name: str
    kind: type[Plugin]
    weight: int
    filters: bool
    scores: bool

    def make(self, arguments: Mapping[str, Any]) -> Plugin:
        """The plug-in with these arguments. Raises ConfigurationError."""
        try:
            with guest("__init__"):
                plugin = self.kind(**arguments)
        except Exception as error:  # noqa: BLE001 - it may be anything, and is told
            raise ConfigurationError(f"decoding args for plugin {self.name}: {saying(error)}") from None
        try:
            with guest("what it declares"):
                check_declared(plugin, self.name)
        except Exception as error:  # noqa: BLE001 - a property may raise anything as well
            raise ConfigurationError(f"plugin {self.name}: {error}") from None
        return plugin


@lru_cache(1)
def installed_plugins() -> tuple[Installed, ...]:
    """All there are, read once."""
    found = []
    for name, kind in offered(GROUP):
        if not (isinstance(kind, type) and issubclass(kind, Plugin)):
            log.error(
                "%s: %s is no subclass of wherry.scheduler.framework.Plugin, and is left out", GROUP, name
            )
            continue
        try:
            with guest("its class"):
                own = guarded(kind, name)
        except Exception as error:  # noqa: BLE001 - its metaclass may raise anything
            log.error("%s: %s: %s, and it is left out", GROUP, name, error)
            continue
        filters, scores = overrides(own, "filter") or overrides(own, "prepare"), overrides(own, "score")
        found.append(Installed(name, own, own.weight, filters, scores))
    return tuple(found)
