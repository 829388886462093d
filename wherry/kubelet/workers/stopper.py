"""Stopping containers: the preStop hook, then a request, then force, all within the grace period.

Regular containers stop together; sidecars after them, the last one first, so that each serves its pod
as long as somebody may need it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from wherry.kubelet.hooks import HookFailure
from wherry.kubelet.pod import field_path, find_container, init_containers, is_sidecar
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.workers.context import WorkerContext
from wherry.objects.meta import Object

LEAST_GRACE_S = 2
"""What is left for a container to stop by itself even when its hook took all the time."""
PRE_STOP = "io.kubernetes.container.preStopHandler"


class Stopper:
    """Stops containers of any pod of the node."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context

    async def stop_all(
        self, pod: Object, containers: Sequence[Container], ips: Sequence[str], grace_s: int
    ) -> None:
        """Stop all that runs within `grace_s` seconds altogether. Raises RuntimeFailure."""
        clock = self._context.clock
        end = clock.monotonic() + grace_s
        running = [c for c in containers if c.phase is not Phase.EXITED]
        order = [c["name"] for c in init_containers(pod) if is_sidecar(c)]
        sidecars = sorted((c for c in running if c.name in order), key=lambda c: -order.index(c.name))
        regular = [c for c in running if c.name not in order]
        for stage in ([regular] if regular else []) + [[c] for c in sidecars]:
            left_s = max(0, round(end - clock.monotonic()))
            await asyncio.gather(
                *(self.stop(pod, c, ips, left_s, f"Stopping container {c.name}") for c in stage)
            )

    async def stop(
        self, pod: Object, container: Container, ips: Sequence[str], grace_s: int, message: str
    ) -> None:
        """Stop one container; `message` is what its Killing event says. Raises RuntimeFailure."""
        where = field_path(pod, container.name)
        self._context.recorder.event(pod, "Normal", "Killing", message, field_path=where)
        clock = self._context.clock
        began = clock.monotonic()
        hook = _pre_stop(pod, container)
        if hook and grace_s > 0 and container.phase is Phase.RUNNING:
            await self._run_hook(pod, container, ips, hook, grace_s)
        left_s = round(grace_s - (clock.monotonic() - began))
        await self._context.runtime.stop_container(container.id, max(left_s, LEAST_GRACE_S))

    async def _run_hook(
        self, pod: Object, container: Container, ips: Sequence[str], hook: Object, grace_s: int
    ) -> None:
        spec = find_container(pod, container.name) or {"name": container.name}
        work = asyncio.ensure_future(self._context.hooks.run(hook, spec, container.id, ips))
        timer = self._context.clock.call_later(grace_s, lambda: _cancel(work))
        try:
            await asyncio.wait([work])
            if not work.cancelled():
                work.result()
        except HookFailure:
            where = field_path(pod, container.name)
            self._context.recorder.event(
                pod, "Warning", "FailedPreStopHook", "PreStopHook failed", field_path=where
            )
        finally:
            timer.cancel()
            work.cancel()


def _cancel(work: asyncio.Future[None]) -> None:
    work.cancel()


def _pre_stop(pod: Object, container: Container) -> Object | None:
    """The hook from the spec, or from what the container itself remembers of it."""
    spec = find_container(pod, container.name)
    if spec is not None:
        hook: Object | None = (spec.get("lifecycle") or {}).get("preStop")
        return hook
    text = container.annotations.get(PRE_STOP)
    remembered: dict[str, Any] = json.loads(text) if text else {}
    return remembered.get("preStop")
