"""What is seen of one pod: sandboxes and containers from the runtime, health from its probes.

Plan and status are both pure functions of a pod and an `Observation` plus `Health`, so that what is
decided and what is reported can never rest on different facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.sandboxes import Sandbox

HASH = "io.kubernetes.container.hash"
GRACE = "io.kubernetes.pod.terminationGracePeriod"


@dataclass(frozen=True, slots=True)
class Observation:
    """A pod's sandboxes and containers, newest first."""

    sandboxes: Sequence[Sandbox] = ()
    containers: Sequence[Container] = ()

    @property
    def sandbox(self) -> Sandbox | None:
        """The newest sandbox."""
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def ips(self) -> Sequence[str]:
        """The addresses of the newest sandbox, if it is up."""
        newest = self.sandbox
        return newest.ips if newest is not None and newest.ready else ()

    def history(self, name: str) -> list[Container]:
        """Every incarnation of one container, newest first."""
        found = [c for c in self.containers if c.name == name]
        return sorted(found, key=lambda c: (c.attempt, c.created), reverse=True)

    def latest(self, name: str) -> Container | None:
        """The newest incarnation of one container."""
        history = self.history(name)
        return history[0] if history else None

    def current(self, name: str) -> Container | None:
        """The newest incarnation, if it belongs to the newest sandbox."""
        latest, newest = self.latest(name), self.sandbox
        return latest if latest and newest and latest.sandbox_id == newest.id else None

    def running(self) -> list[Container]:
        """The containers that run."""
        return [c for c in self.containers if c.phase is Phase.RUNNING]


@dataclass(frozen=True, slots=True)
class Health:
    """What probes found, by container id.

    `ready` and `started` hold ids whose readiness and startup probes succeeded; `failed` tells which
    probe ("liveness" or "startup") demands a restart.
    """

    ready: frozenset[str] = frozenset()
    started: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)

    def is_started(self, spec: Mapping[str, Any], container: Container) -> bool:
        """Whether a running container counts as started."""
        return container.phase is Phase.RUNNING and (
            not spec.get("startupProbe") or container.id in self.started
        )

    def is_ready(self, spec: Mapping[str, Any], container: Container) -> bool:
        """Whether a running container counts as ready."""
        return self.is_started(spec, container) and (
            not spec.get("readinessProbe") or container.id in self.ready
        )
