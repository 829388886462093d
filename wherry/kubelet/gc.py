"""What the runtime may forget of a pod: all but the last end of each container, and spent sandboxes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.kubelet.logs import remove_log
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.sandboxes import Sandbox

KEEP = 1
"""How many ended runs of a container stay, for its last state and `kubectl logs --previous`."""


@dataclass(frozen=True, slots=True)
class Removals:
    """Containers and sandboxes to remove."""

    containers: Sequence[Container]
    sandboxes: Sequence[Sandbox]

    def __bool__(self) -> bool:
        return bool(self.containers or self.sandboxes)


def plan_removals(sandboxes: Sequence[Sandbox], containers: Sequence[Container]) -> Removals:
    """What can go: of each container's ended runs all but the newest, sandboxes that hold nothing else."""
    ended: dict[str, list[Container]] = defaultdict(list)
    for container in containers:
        if container.phase is not Phase.RUNNING:
            ended[container.name].append(container)
    spent: list[Container] = []
    for runs in ended.values():
        runs.sort(key=lambda c: (c.attempt, c.created), reverse=True)
        spent.extend(runs[KEEP:])
    gone = {c.id for c in spent}
    used = {c.sandbox_id for c in containers if c.id not in gone}
    idle = [s for s in sandboxes[1:] if not s.ready and s.id not in used]
    return Removals(spent, idle)


async def remove_dead(runtime: Runtime, removals: Removals) -> None:
    """Remove them, with the containers' logs. Raises RuntimeFailure."""
    for container in removals.containers:
        await runtime.remove_container(container.id)
        if Path(container.log_path).is_absolute():
            remove_log(Path(container.log_path))
    for sandbox in removals.sandboxes:
        await runtime.remove_sandbox(sandbox.id)


async def remove_all_dead(runtime: Runtime) -> None:
    """Remove what can go of all pods (upstream's `DeleteAllUnusedContainers`). Raises RuntimeFailure."""
    sandboxes, containers = await asyncio.gather(runtime.sandboxes(), runtime.containers())
    pods: dict[str, list[Sandbox]] = defaultdict(list)
    for sandbox in sandboxes:
        pods[sandbox.uid].append(sandbox)
    for own in pods.values():
        ids = {sandbox.id for sandbox in own}
        await remove_dead(runtime, plan_removals(own, [c for c in containers if c.sandbox_id in ids]))
