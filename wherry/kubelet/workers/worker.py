"""One pod's worker: looks at the pod when something happened, tells its status, and acts.

Looking and acting are apart. `_look` looks (runtime, probes), publishes the status and, when no act is
under way, plans the next one; an act (start containers, stop everything) runs beside it and pokes the
worker when done. A pod that is to end cancels the act that was building it up. Nothing here remembers
what it could read from the runtime or the API server, so a new agent takes a pod over where it stands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.container_status import Waiting
from wherry.kubelet.devices.dra.usable import NotPrepared
from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.logs import find_log
from wherry.kubelet.observation import Observation
from wherry.kubelet.plan import (
    Plan,
    back_off_event,
    back_off_message,
    deadline_left_s,
    plan_pod,
)
from wherry.kubelet.pod import (
    container_hash,
    container_status,
    find_container,
    is_static,
    spec_of,
    status_of,
    uses_host_network,
)
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.status import Facts, pod_status, rejected_status
from wherry.kubelet.termination_message import message_file, read_message
from wherry.kubelet.volumes.base import MountFailure
from wherry.kubelet.workers.builder import RESIZE, Builder, Problem, Unfit
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.ending import Ending, Mode, Step
from wherry.kubelet.workers.memory import EVERYTHING, FIRST_RETRY_S, Memory, Rests
from wherry.kubelet.workers.remover import Remover
from wherry.kubelet.workers.resizing import Resizing
from wherry.kubelet.workers.timing import PodTiming
from wherry.kubelet.workers.versions import is_same_to_us, shown
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    format_time,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    parse_time,
    uid_of,
)

log = logging.getLogger(__name__)

MESSAGE_TIMEOUT_S = 10.0
DEADLINE = Verdict(
    reason="DeadlineExceeded", message="Pod was active on the node longer than the specified deadline"
)


class PodWorker:
    """Runs one pod. `on_gone(uid)` is called when nothing of it is left on the node."""

    def __init__(self, pod: Object, context: WorkerContext, on_gone: Callable[[str], None]) -> None:
        self.pod = pod
        self.uid = uid_of(pod)
        self._context = context
        self._on_gone = on_gone
        self._tasks = Tasks(f"pod {key_of(pod)}")
        self._builder = Builder(context)
        self._remover = Remover(context)
        self._resizing = Resizing(context, self.uid)
        self._ending = Ending.of(pod)
        self._memory = Memory()
        self._timing = PodTiming(context, pod)
        self._seen = Observation()
        self._held = False
        self._looking = Repeater(
            f"pod {key_of(pod)}",
            self._look,
            self._tasks,
            context.clock,
            first_s=FIRST_RETRY_S,
            expected=(RuntimeFailure, OSError),
        )
        self.is_down = asyncio.Event()
        """Set when nothing of it runs or is mounted any more."""
        self._act: asyncio.Task[None] | None = None
        self._rests = Rests(context.clock, self._looking.within)

    @property
    def shown(self) -> Object:
        """The pod with the status last told."""
        return self._memory.as_told(self.pod)

    def poke(self) -> None:
        """Something about the pod may have changed: look as soon as possible."""
        self._looking.hurry()

    def update(self, pod: Object) -> None:
        """The API server has a new version of the pod."""
        old, self.pod = self.pod, pod
        self._context.statuses.seen(pod)
        if is_same_to_us(old, pod):
            return
        if shown(old) != shown(pod):
            self._builder.volumes_changed()
            self._rests.end()
        if is_deleting(pod):
            self._begin_end()
        self.poke()

    def removed(self) -> None:
        """The API server has the pod no more."""
        self._ending.is_removed = True
        self._begin_end()
        self.poke()

    def resized(self) -> None:
        """What the pod was given, or what is said of its resize, changed."""
        self._builder.volumes_changed()
        self.try_again()

    def volumes_changed(self) -> None:
        """An object the pod uses changed."""
        self._builder.volumes_changed()
        self.try_again()

    def try_again(self) -> None:
        """What kept the pod from starting may be over."""
        self._rests.succeeded()
        self._rests.end()
        self.poke()

    def evict(self, verdict: Verdict, *, rejected: bool = False) -> bool:
        """End the pod as failed, for a reason that is the node's; whether it was still up."""
        if not self._ending.condemn(verdict, rejected=rejected):
            return False
        if verdict.is_told:
            self._context.recorder.event(
                self.pod, "Warning", verdict.reason, verdict.message, annotations=verdict.annotations
            )
        self._begin_end()
        self.poke()
        return True

    def reject(self, reason: str, message: str) -> None:
        """Refuse a pod nothing was started of, for a reason that is the node's."""
        self.evict(Verdict(reason=reason, message=message), rejected=True)

    async def close(self) -> None:
        """Stop working; the pod's containers run on."""
        await self._looking.close()
        await self._tasks.close()

    def _begin_end(self) -> None:
        if self._ending.begin(self.pod):
            self._rests.end()
            if self._act is not None:
                self._act.cancel()

    async def _look(self) -> None:
        """Look, publish, and begin the next act. Raises RuntimeFailure, OSError: then it is done again."""
        if self._held:
            return  # the act that holds it will poke
        self._timing.looked()
        if self._act is None and self._context.tokens.refresh_in_s(self.uid) == 0.0:
            self._builder.volumes_changed()
        self._seen = await self._observe()
        ending = self._ending
        if ending.mode is Mode.UP:
            self._check_deadline()
        self._follow_probes()
        self._resizing.follow(self._given, self._seen)
        plan = self._plan() if ending.mode is Mode.UP and self._act is None else None
        ending.take(plan)
        self._publish(ended=ending.mode is Mode.DONE)
        if self._act is not None or self._rests.is_resting(EVERYTHING):
            return
        step = ending.step(self.pod, has_work=plan is not None and self._has_work(plan))
        if step is Step.TAKE_DOWN:
            self._begin_act(self._take_down(), step.value)
        elif step is Step.SETTLE:
            self._begin_act(self._settle_end(), step.value)
        elif step is Step.BUILD_UP and plan is not None:
            self._held = plan.new_sandbox
            self._begin_act(self._build_up(plan), step.value)

    def _has_work(self, plan: Plan) -> bool:
        """Drop from the plan what failed a moment ago; whether there is something to do now."""
        plan.start = [s for s in plan.start if not self._rests.is_resting(s.container["name"])]
        if plan.resizes and self._rests.is_resting(RESIZE):
            plan.resize, plan.resize_pod = [], False
        return not plan.is_idle or self._builder.is_stale

    async def _observe(self) -> Observation:
        runtime = self._context.runtime
        sandboxes, containers = await asyncio.gather(
            runtime.sandboxes(self.uid), runtime.containers(self.uid)
        )
        return Observation(sandboxes, [await self._with_message(c) for c in containers])

    async def _with_message(self, container: Container) -> Container:
        if container.phase is not Phase.EXITED:
            return container
        message = self._memory.messages.get(container.id)
        if message is None:
            message = self._memory.messages[container.id] = await self._read_message(container)
        return replace(container, message=message) if message else container

    async def _read_message(self, container: Container) -> str:
        context, config = self._context, self._context.config
        log_dir = config.pod_log_dir(namespace_of(self.pod), name_of(self.pod), self.uid)
        read = partial(
            read_message,
            find_container(self.pod, container.name) or {},
            container,
            message_file(config.pod_dir(self.uid), container.name, container.attempt),
            find_log(container, log_dir),
        )
        try:
            return await context.disk.run(f"messages of pod {self.uid}", read, MESSAGE_TIMEOUT_S)
        except TimeoutError as error:
            log.warning("pod %s: the message of %s is left out: %s", key_of(self.pod), container.name, error)
            return ""

    def _check_deadline(self) -> None:
        started = (self._memory.told or status_of(self.pod)).get("startTime")
        left_s = deadline_left_s(
            self.pod, self._context.clock.now(), parse_time(started) if started else None
        )
        if left_s is None:
            return
        if left_s <= 0:
            self.evict(DEADLINE)
        else:
            self._looking.within(left_s)

    def _follow_probes(self) -> None:
        probes = self._context.probes
        if self._ending.mode is Mode.DONE:
            probes.forget(self.uid)
            return
        running = []
        for container in self._seen.running():
            spec = find_container(self.pod, container.name)
            if spec is not None and (self._ending.mode is Mode.UP or spec.get("readinessProbe")):
                spec = spec if self._ending.mode is Mode.UP else {**spec, "livenessProbe": None}
                running.append((spec, container))
        probes.follow(self.pod, running, self._ips(), healthy_before=self._healthy_before)

    def _healthy_before(self, name: str, container: Container) -> tuple[bool, bool]:
        status = container_status(self.pod, name)
        known = status.get("containerID") == f"{self._context.runtime_name}://{container.id}"
        return (bool(status.get("ready")), bool(status.get("started"))) if known else (False, False)

    def _ips(self) -> list[str]:
        on_host = uses_host_network(self.pod)
        return self._context.host_ips if on_host else list(self._seen.ips)

    @property
    def _given(self) -> Object:
        return self._resizing.given(self.pod)

    def _plan(self) -> Plan:
        health = self._context.probes.health(self.uid)
        given = self._given
        plan = plan_pod(
            given,
            self._seen,
            health,
            self._remaining_s,
            self._resizing.actual,
            has_other_limits=self._context.allocations.has_other_limits(given),
        )
        for name, left_s in plan.backing_off.items():
            self._wait_for_back_off(name, left_s)
        return plan

    def _back_off_key(self, name: str) -> str:
        return f"{self.uid}/{name}/{container_hash(find_container(self.pod, name) or {})}"

    def _remaining_s(self, name: str, ended: Any) -> float:
        return self._context.back_off.remaining_s(self._back_off_key(name), ended)

    def _wait_for_back_off(self, name: str, left_s: float) -> None:
        delay_s = self._context.back_off.delay_s(self._back_off_key(name))
        self._memory.waiting[name] = Waiting("CrashLoopBackOff", back_off_message(self.pod, name, delay_s))
        latest = self._seen.latest(name)
        attempt = latest.attempt if latest is not None else 0
        if self._memory.is_first_back_off(name, attempt):
            self._context.recorder.event(self.pod, "Warning", "BackOff", back_off_event(self.pod, name))
        self._looking.within(left_s)

    def _publish(self, *, ended: bool) -> None:
        ending, memory = self._ending, self._memory
        if ending.keeps_status or (ending.is_removed and not is_static(self.pod)):
            return
        verdict = ending.verdict
        reason, message = (verdict.reason, verdict.message) if verdict is not None else ("", "")
        now = format_time(self._context.clock.now())
        if ending.is_rejected:
            memory.told = rejected_status(self.pod, reason, message, now)
            self._context.statuses.put(self.pod, memory.told)
            return
        facts = Facts(
            now=now,
            host_ips=self._context.host_ips,
            runtime_name=self._context.runtime_name,
            recursive_read_only=self._context.is_recursive_read_only(
                spec_of(self.pod).get("runtimeClassName")
            ),
            waiting=memory.waiting,
            health=self._context.probes.health(self.uid),
            ended=ended,
            failed=ended and verdict is not None,
            reason=reason,
            message=message,
            is_disruption=verdict is not None and verdict.is_disruption,
            resources=self._resizing.shown(self._given, self._seen.running()),
            whole=self._resizing.whole(),
            devices=self._context.devices.resource_statuses(self.pod),
            resizing=self._resizing.conditions(now),
        )
        memory.told = pod_status(memory.as_told(self._given), self._seen, facts)
        self._context.statuses.put(self.pod, memory.told)
        self._timing.shown(memory.told)

    def _begin_act(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._rests.begin()
        self._timing.began(name)
        self._act = self._tasks.spawn(work, name)
        self._act.add_done_callback(self._act_ended)

    def _act_ended(self, task: asyncio.Task[None]) -> None:
        self._act = None
        self._timing.ended()
        self._held = False
        if not task.cancelled() and task.exception() is not None:
            self._rests.failed()
        self.poke()

    async def _build_up(self, plan: Plan) -> None:
        try:
            problems = await self._builder.build(self._given, self._seen, plan, self._release)
        except Unfit as unfit:
            self.reject(unfit.reason, unfit.message)
            return
        except (MountFailure, RuntimeFailure, OSError, ApiError) as error:
            log.info("pod %s: %s", key_of(self.pod), error)
            if isinstance(error, OSError):
                self._say_no_files(error)
            self._rests.failed()
            return
        self._rests.succeeded()
        resizing = problems.pop(RESIZE, None)
        if resizing is not None:
            self._rests.rest(RESIZE, resizing.retry_s)
            self._resizing.failed(self._given, resizing.message)
        for name, problem in problems.items():
            self._note(name, problem)
        for start in plan.start:
            if start.container["name"] not in problems:
                self._memory.waiting.pop(start.container["name"], None)
        refresh_s = self._context.tokens.refresh_in_s(self.uid)
        if refresh_s is not None:
            self._looking.within(max(refresh_s, 1.0))

    def _say_no_files(self, error: OSError) -> None:
        """The pod's own files cannot be written: volumes and the runtime tell of theirs themselves."""
        why = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        message = f"error making pod data directories: {why}"
        self._context.recorder.event(self.pod, "Warning", "FailedToMakePodDataDirectories", message)

    def _note(self, name: str, problem: Problem) -> None:
        self._memory.waiting[name] = Waiting(problem.reason, problem.message)
        self._rests.rest(name, problem.retry_s)

    def _release(self) -> None:
        """The act takes longer: what it did so far may be shown."""
        if self._held:
            self._held = False
            self.poke()

    async def _take_down(self) -> None:
        grace_s = self._ending.stopping(self.pod)
        for container in self._seen.running():
            self._context.probes.stop_container(self.uid, container.id)
        try:
            await self._remover.stop(self.pod, self._seen, self._ips(), grace_s)
            self._seen = await self._observe()
            await self._context.devices.release(self.pod)
            self._publish(ended=True)
            self._context.probes.forget(self.uid)
            await self._remover.free(self.pod)
        except (NotPrepared, RuntimeFailure, OSError) as error:
            log.warning("pod %s does not stop: %s", key_of(self.pod), error)
            self._rests.failed()
            return
        self._rests.succeeded()
        self._ending.taken_down()
        self.is_down.set()

    async def _settle_end(self) -> None:
        """Everything is down: let the API server forget the pod, then forget it here."""
        try:
            if self._ending.is_removed:
                await self._remover.forget(self.pod)
                await self._looking.close()
                self._on_gone(self.uid)
            else:
                await self._remover.delete(self.pod)
                self._ending.is_delete_sent = True
        except (RuntimeFailure, OSError, ApiError) as error:
            log.warning("pod %s is not forgotten yet: %s", key_of(self.pod), error)
            self._rests.failed()
