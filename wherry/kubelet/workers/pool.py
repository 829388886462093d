"""The node's pod workers: one per pod, by uid, each told what concerns it.

Pods come from the watch, containers' events from the runtime. What the runtime still runs of pods that
nobody knows any more (deleted while the agent was away) gets a worker too, which takes it down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from wherry.kit.integers import parse_unsigned
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.admission import SHORTAGES, find_objection
from wherry.kubelet.allocation.pending import PendingResizes
from wherry.kubelet.eviction.ranking import is_critical
from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.metrics import count_requested
from wherry.kubelet.observation import GRACE
from wherry.kubelet.pod import is_static, is_terminal, status_of
from wherry.kubelet.preemption import PREEMPTED, find_need, plan_preemption
from wherry.kubelet.runtimes.containers import Container
from wherry.kubelet.runtimes.runtime import RuntimeEvent
from wherry.kubelet.runtimes.sandboxes import Sandbox
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.remains import Remains
from wherry.kubelet.workers.worker import PodWorker
from wherry.objects.meta import Object, is_deleting, key_of, uid_of

log = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 120.0
HELD_UP = "pod %s waits until pod %s with the same uid is gone: take metadata.uid %s out of the manifest"
UNEXPECTED = "UnexpectedAdmissionError"


class PodWorkers:
    """All workers of one node."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._workers: dict[str, PodWorker] = {}
        self._tasks = Tasks("pod workers")
        self._removing = Repeater(
            "removing what is left of pods",
            self._remove_orphans,
            self._tasks,
            context.clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(OSError,),
        )
        self._renewing = Repeater("renewing tokens", self._renew_tokens, self._tasks, context.clock)
        self._renewing.poke()
        self._remains = Remains(context.config, context.volumes, context.cgroups, context.users, context.disk)
        self._resizes = PendingResizes(context, self._pods, self._resized)
        self._waiting: dict[str, Object] = {}
        """Pods whose uid another pod of this node has, by that uid: they begin when that one is gone."""
        self._closed = False
        self._are_all_known = False
        self._tell_gone: Callable[[str], None] | None = None

    def __len__(self) -> int:
        return len(self._workers)

    def changed(self, old: Object | None, new: Object | None) -> None:
        """A pod of this node was added, changed or removed (the cache's handler)."""
        if self._closed:
            return
        if old is not None and (new is None or uid_of(new) != uid_of(old)):
            self._removed(old)
        if new is None or self._is_held_up(new):
            return
        worker = self._workers.get(uid_of(new))
        if worker is None:
            self._admit(new)
        else:
            count_requested(self._context.metrics, worker.pod, new)
            worker.update(new)
            if is_terminal(new):
                self._context.managers.release(uid_of(new))
                self._resizes.room()
        self._resizes.changed(new)

    def _removed(self, pod: Object) -> None:
        uid, key = uid_of(pod), key_of(pod)
        if self.holder(uid) == key:
            self._workers[uid].removed()
        elif uid in self._waiting and key_of(self._waiting[uid]) == key:
            del self._waiting[uid]

    def _is_held_up(self, pod: Object) -> bool:
        """Whether another pod has this one's uid: by it the node tells pods, their files and cgroups apart.

        Only a manifest can say such a thing, one that was exported from a pod with its uid.
        """
        uid, key = uid_of(pod), key_of(pod)
        holder = self.holder(uid)
        if holder is None or holder == key:
            return False
        if uid not in self._waiting:
            log.error(HELD_UP, key, holder, uid)
        self._waiting[uid] = pod
        return True

    def _admit(self, pod: Object) -> None:
        worker = PodWorker(pod, self._context, self._gone)
        allocations = self._context.allocations
        others = [allocations.counted(other.pod) for other in self._workers.values()]
        self._workers[uid_of(pod)] = worker
        allocations.admit(pod)
        was_admitted = bool(status_of(pod).get("startTime")) or is_deleting(pod)
        wanted = allocations.allocated(pod)
        objection = None if was_admitted else self._objection(wanted, others)
        if objection is not None and objection[0] in SHORTAGES and is_critical(pod):
            objection = self._preempt(wanted, others)
        if objection is None and not is_terminal(pod):
            objection = self._context.managers.admit(wanted)
        if objection is not None:
            context = self._context
            context.metrics.admission_rejections.inc(objection[0])
            worker.reject(*objection)
        worker.poke()

    def _objection(self, pod: Object, others: list[Object]) -> tuple[str, str] | None:
        context = self._context
        if (objection := context.shutdown_objection()) is not None:
            return objection
        runtime = context.runtime_status()
        try:
            return find_objection(
                pod,
                others,
                context.allocatable(),
                context.pressure(),
                unsafe_sysctls=context.config.allowed_unsafe_sysctls,
                apparmor=context.config.apparmor,
                strict_groups=bool(runtime is not None and runtime.strict_groups),
            )
        except Exception as error:
            log.exception("admitting pod %s", key_of(pod))
            why = str(error) or type(error).__name__
            return UNEXPECTED, f"Pod was rejected: unexpected error: {why}"

    def _preempt(self, pod: Object, others: list[Object]) -> tuple[str, str] | None:
        """End others to make room for a critical pod; the objection when there are not enough of them."""
        need = find_need(pod, others, self._context.allocatable())
        going = plan_preemption(pod, others, need)
        if going is None:
            shown = " ".join(f"({name}, q: {amount})," for name, amount in need.items())
            why = f"no set of running pods found to reclaim resources: [{shown} ]"
            message = f"preemption: error finding a set of pods to preempt: {why}"
            return UNEXPECTED, f"Pod was rejected: unexpected error: {message}"
        for other in going:
            log.warning("pod %s ends: critical pod %s needs its place", key_of(other), key_of(pod))
            self.evict(other, PREEMPTED)
            self._context.metrics.preemptions.inc(next(iter(need), "pods"))
        return self._objection(pod, [other for other in others if other not in going])

    def evict(self, pod: Object, verdict: Verdict) -> bool:
        """End a pod for the node's sake; whether it was still up."""
        worker = self._workers.get(uid_of(pod))
        return worker is not None and worker.evict(verdict)

    async def ended(self, pod: Object) -> None:
        """Return when nothing of the pod runs any more, and the API server was told how it ended."""
        worker = self._workers.get(uid_of(pod))
        if worker is not None:
            await worker.is_down.wait()
            await self._context.statuses.flush(uid_of(pod))

    def happened(self, event: RuntimeEvent) -> None:
        """Something happened to a container."""
        if event.pod_uid:
            self.poke(event.pod_uid)
        else:
            self.poke_all()

    def room(self) -> None:
        """There may be room for resizes that wait."""
        self._resizes.room()

    def poke_all(self) -> None:
        """Let every pod's worker look."""
        for worker in list(self._workers.values()):
            worker.poke()

    def try_again_all(self) -> None:
        """What kept pods from starting may be over."""
        for worker in list(self._workers.values()):
            worker.try_again()

    def poke(self, pod_uid: str) -> None:
        """Let the pod's worker look, if there is one."""
        worker = self._workers.get(pod_uid)
        if worker is not None and not self._closed:
            worker.poke()

    def object_changed(self, pod_uid: str) -> None:
        """A ConfigMap or Secret the pod uses changed."""
        worker = self._workers.get(pod_uid)
        if worker is not None and not self._closed:
            worker.volumes_changed()

    def knows(self, pod_uid: str) -> bool:
        """Whether the pod has a worker."""
        return pod_uid in self._workers

    def holder(self, pod_uid: str) -> str | None:
        """Namespace and name of the pod whose worker has that uid, None when there is none."""
        worker = self._workers.get(pod_uid)
        return key_of(worker.pod) if worker is not None else None

    def all_known(self) -> None:
        """Every source of pods was read once: what is left of others goes from now on."""
        self._are_all_known = True

    def on_gone(self, tell: Callable[[str], None]) -> None:
        """Have `tell(uid)` called when nothing of a pod is left on the node."""
        self._tell_gone = tell

    def static_pods(self) -> list[Object]:
        """The static pods with their status."""
        return [worker.shown for worker in self._workers.values() if is_static(worker.pod)]

    async def look_at_all(self) -> None:
        """Look at every pod, and for what is left of pods nobody knows. Raises RuntimeFailure."""
        self.poke_all()
        if self._are_all_known:
            await self._adopt_orphans()

    def take_down(self, sandbox: Sandbox, containers: list[Container]) -> None:
        """End what runs of a pod that is gone; `containers` are the sandbox's own."""
        log.info("pod %s/%s is gone, its sandbox goes too", sandbox.namespace, sandbox.name)
        worker = PodWorker(_remembered_pod(sandbox, containers), self._context, self._gone)
        self._workers[sandbox.uid] = worker
        worker.removed()

    async def _adopt_orphans(self) -> None:
        runtime = self._context.runtime
        sandboxes, containers = await asyncio.gather(runtime.sandboxes(), runtime.containers())
        for sandbox in sandboxes:
            if not self.knows(sandbox.uid):
                self.take_down(sandbox, [c for c in containers if c.sandbox_id == sandbox.id])
        self._removing.hurry()

    async def _remove_orphans(self) -> None:
        """Remove volumes, cgroups and logs of pods nobody knows. One that resists holds up no other.

        Raises OSError: to be tried again.
        """
        resisting: dict[str, OSError] = {}
        for uid in sorted(await self._remains.uids()):
            if self.knows(uid):
                continue
            try:
                await self._remains.remove(uid)
            except OSError as error:
                resisting[uid] = error
        await self._context.volumes.reconcile()
        if resisting:
            told = "; ".join(f"pod {uid}: {error}" for uid, error in list(resisting.items())[:10])
            raise OSError(f"{len(resisting)} cannot be removed: {told}")

    async def _renew_tokens(self) -> float:
        """Let those look whose tokens are due: timers stand still while a machine sleeps."""
        for uid in self._context.tokens.due():
            self.poke(uid)
        return self._context.config.status_check_s

    async def close(self) -> None:
        """Stop all workers; containers run on."""
        self._closed = True
        await self._removing.close()
        await self._renewing.close()
        await self._resizes.close()
        await self._tasks.close()
        await asyncio.gather(*(worker.close() for worker in self._workers.values()))

    def _pods(self) -> list[Object]:
        return [worker.pod for worker in self._workers.values()]

    def _resized(self, pod_uid: str) -> None:
        worker = self._workers.get(pod_uid)
        if worker is not None and not self._closed:
            worker.resized()

    def _gone(self, pod_uid: str) -> None:
        worker = self._workers.pop(pod_uid, None)
        self._context.allocations.forget(pod_uid)
        self._context.managers.release(pod_uid)
        self._resizes.room()
        if worker is not None:
            log.info("pod %s is gone", pod_uid)
        if self._tell_gone is not None and not self._closed:
            self._tell_gone(pod_uid)
        waiting = self._waiting.pop(pod_uid, None)
        if waiting is not None:
            self.changed(None, waiting)


def _remembered_pod(sandbox: Sandbox, containers: list[Container]) -> Object:
    """As much of a pod as its containers remember: enough to stop it."""
    found = [parse_unsigned(container.annotations.get(GRACE, "")) for container in containers]
    graces = [grace for grace in found if grace is not None]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": sandbox.name, "namespace": sandbox.namespace, "uid": sandbox.uid},
        "spec": {
            "terminationGracePeriodSeconds": max(graces, default=30),
            "hostNetwork": sandbox.host_network,
        },
        "status": {},
    }
