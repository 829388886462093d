"""A whole cluster inside a test: control plane, controllers, scheduler and simulated nodes in one process.

    from wherry.testing import Cluster

    with Cluster(nodes=3) as c:
        c.apply("deployment.yaml")
        c.wait("deployment/web", "Available")

`docs/testing.md` is the guide. Nothing is loaded before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wherry.kit.simulated_loop import BackwardsError, StalledError
    from wherry.testing.cluster import AsyncCluster, Cluster
    from wherry.testing.conditions import WaitTimeoutError
    from wherry.testing.kinds import UnknownKindError
    from wherry.testing.loop_thread import ClosedError, WrongThreadError
    from wherry.testing.manifests import ManifestError
    from wherry.testing.settings import SettingsError
    from wherry.testing.snapshot import Snapshot, SnapshotError
    from wherry.testing.watch import WatchEndedError
    from wherry.testing.world import RestartError

_PLACES = {
    "AsyncCluster": "wherry.testing.cluster",
    "BackwardsError": "wherry.kit.simulated_loop",
    "ClosedError": "wherry.testing.loop_thread",
    "Cluster": "wherry.testing.cluster",
    "ManifestError": "wherry.testing.manifests",
    "RestartError": "wherry.testing.world",
    "SettingsError": "wherry.testing.settings",
    "Snapshot": "wherry.testing.snapshot",
    "SnapshotError": "wherry.testing.snapshot",
    "StalledError": "wherry.kit.simulated_loop",
    "UnknownKindError": "wherry.testing.kinds",
    "WaitTimeoutError": "wherry.testing.conditions",
    "WatchEndedError": "wherry.testing.watch",
    "WrongThreadError": "wherry.testing.loop_thread",
}

__all__ = [
    "AsyncCluster",
    "BackwardsError",
    "ClosedError",
    "Cluster",
    "ManifestError",
    "RestartError",
    "SettingsError",
    "Snapshot",
    "SnapshotError",
    "StalledError",
    "UnknownKindError",
    "WaitTimeoutError",
    "WatchEndedError",
    "WrongThreadError",
]


def __getattr__(name: str) -> Any:
    """What is asked for, loaded now: a test plug-in must not slow down tests that do not use it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import gc
    from importlib import import_module

    # Hundreds of modules only build up: the collector would look at all of them again and again.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return getattr(import_module(_PLACES[name]), name)
    finally:
        if was_enabled:
            gc.enable()
