"""What a running container still has to become: `change_of`. Pure.

Source: pkg/kubelet/kuberuntime, computePodResizeAction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.kubelet.allocation.sizes import sizes_of
from wherry.kubelet.runtimes.containers import Container
from wherry.objects.meta import Object

Actual = Callable[[Object, Container], Mapping[str, Any]]
"""The `resources` a running container was last given, by its spec and what the runtime says of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A running container that is to have other limits: its spec, and the `resources` it has."""

    container: Object
    current: Container
    actual: Mapping[str, Any]
    cpu: bool
    memory: bool

    @property
    def needs_restart(self) -> bool:
        """Whether the container's resizePolicy wants it restarted for that."""
        policies = {
            p.get("resourceName"): p.get("restartPolicy") for p in self.container.get("resizePolicy") or ()
        }
        changed = [name for name, is_changed in (("cpu", self.cpu), ("memory", self.memory)) if is_changed]
        return any(policies.get(name) == "RestartContainer" for name in changed)


def change_of(container: Object, current: Container, actual: Actual) -> Change | None:
    """What is to change of a running container, None when it has what its spec asks for."""
    resources = actual(container, current)
    if resources == (container.get("resources") or {}):
        return None
    wanted, has = sizes_of(container.get("resources")), sizes_of(resources)
    if wanted == has:
        return None
    return Change(container, current, resources, wanted[:2] != has[:2], wanted[2:] != has[2:])


def as_asked(container: Object, _current: Container) -> Mapping[str, Any]:
    """For those who resize nothing: a container has what its spec asks for."""
    return container.get("resources") or {}
