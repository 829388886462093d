"""What the server does once it listens, as health checks: each has upstream's name, and is done or not.

Whoever waits for a server to be ready sees in them what it is still waiting for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

BOOTSTRAP_HOOKS = (
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/bootstrap-controller",
)
CUSTOM_RESOURCE_HOOKS = (
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
)
AGGREGATION_HOOKS = (
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/apiservice-openapiv3-controller",
)
ALL_HOOKS = (*BOOTSTRAP_HOOKS, *CUSTOM_RESOURCE_HOOKS, *AGGREGATION_HOOKS)


class StartHooks:
    """Which of the hooks are done."""

    def __init__(self) -> None:
        self._finished: set[str] = set()

    def finish(self, hooks: Iterable[str]) -> None:
        """These are done."""
        self._finished.update(hooks)

    def checks(self) -> Mapping[str, Callable[[], str]]:
        """A check for each hook: "" when it is done, else that it is not."""
        return {name: self._check(name) for name in ALL_HOOKS}

    def _check(self, name: str) -> Callable[[], str]:
        return lambda: "" if name in self._finished else "not finished"
