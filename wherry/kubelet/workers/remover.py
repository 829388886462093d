"""Taking a pod down, and leaving nothing of it behind.

Four steps, each safe to repeat: `stop` (containers, then the sandbox with its network), `free` (volumes,
cgroup), `delete` (the API object), `forget` (what the runtime keeps of it, and its logs).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from wherry.api.core.pods import PODS
from wherry.kubelet.observation import Observation
from wherry.kubelet.volumes.staging import TEAR_DOWN_TIMEOUT_S
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.remains import Remains
from wherry.kubelet.workers.stopper import Stopper
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of, uid_of


class Remover:
    """Takes pods of the node down."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._stopper = Stopper(context)
        self._remains = Remains(context.config, context.volumes, context.cgroups, context.users, context.disk)

    async def stop(self, pod: Object, seen: Observation, ips: Sequence[str], grace_s: int) -> None:
        """Stop all containers within `grace_s` seconds, then the sandboxes. Raises RuntimeFailure.

        Sandboxes that died by themselves too: they still have addresses and host ports.
        """
        await self._stopper.stop_all(pod, seen.running(), ips, grace_s)
        for sandbox in seen.sandboxes:
            await self._context.runtime.stop_sandbox(sandbox.id)

    async def free(self, pod: Object) -> None:
        """Give volumes, watches and the cgroup back. Raises OSError."""
        uid = uid_of(pod)
        context = self._context
        context.references.release(uid)
        context.tokens.forget(uid)
        context.images.forget(uid)
        context.back_off.forget(f"{uid}/")
        await context.volumes.tear_down(uid)
        context.users.release(uid)
        await context.disk.run(uid, partial(context.cgroups.remove, uid), TEAR_DOWN_TIMEOUT_S)

    async def delete(self, pod: Object) -> None:
        """Delete the API object, once its last status is written. Raises ApiError."""
        uid = uid_of(pod)
        await self._context.statuses.flush(uid)
        try:
            await self._context.client.delete(
                PODS, name_of(pod), namespace_of(pod), grace_period_s=0, uid=uid
            )
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    async def forget(self, pod: Object) -> None:
        """Remove sandboxes, containers and logs. Raises RuntimeFailure, OSError."""
        uid = uid_of(pod)
        context = self._context
        context.probes.forget(uid)
        context.statuses.forget(uid)
        for sandbox in await context.runtime.sandboxes(uid):
            if sandbox.ready:
                await context.runtime.stop_sandbox(sandbox.id)
            await context.runtime.remove_sandbox(sandbox.id)
        await self._remains.remove(uid)
