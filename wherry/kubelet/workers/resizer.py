"""Giving what runs of a pod other limits, in the order in which the kernel takes them.

What grows grows from the outside (the pod's cgroup, then its containers), what shrinks shrinks from the
inside; memory before cpu, and of several containers those that shrink first. A limit of memory is never set
below what is used: whoever would be killed by it keeps the limit there was.

Source: pkg/kubelet/kuberuntime, doPodResizeAction, validateMemoryResizeAction, updatePodContainerResources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from wherry.kubelet.allocation.messages import aggregate
from wherry.kubelet.allocation.progress import Change
from wherry.kubelet.cgroups import container_resources, pod_resources
from wherry.kubelet.observation import Observation
from wherry.kubelet.runtimes.containers import Resources
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.usage import Meter
from wherry.kubelet.workers.context import WorkerContext
from wherry.objects.meta import Object, uid_of

T = TypeVar("T")

CGROUP_TIMEOUT_S = 30.0


class Resizer:
    """Resizes pods that run."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context

    async def resize(self, pod: Object, seen: Observation, changes: Sequence[Change]) -> str:
        """Give `pod` (as it was allocated) and its containers their limits; what went wrong, "" for nothing.

        What was done by then stays done and noted: it need not be done again. Raises OSError when it cannot
        be noted.
        """
        allocations, clock = self._context.allocations, self._context.clock
        began = clock.monotonic()
        try:
            error = await self._try(pod, changes)
            if not error:
                allocations.actuate_pod(pod, {container.id for container in seen.containers})
        except (RuntimeFailure, OSError) as failure:
            error = str(failure)
        took_ms = (clock.monotonic() - began) * 1000
        self._context.metrics.resize_duration_ms.observe(took_ms, "false" if error else "true")
        await allocations.save(uid_of(pod))
        return error

    async def _try(self, pod: Object, changes: Sequence[Change]) -> str:
        cgroups = self._context.cgroups
        wanted = self._context.managers.without_quota(pod, pod_resources(pod))
        has = await self._on_disk(pod, partial(cgroups.limits, pod))
        if error := await self._memory_error(pod, changes, wanted, has):
            return f"cannot decrease memory limits: {error}"
        figures = Resources(memory_limit_bytes=wanted.memory_limit_bytes)
        grows = has is not None and 0 < has.memory_limit_bytes < wanted.memory_limit_bytes
        await self._outside_in(pod, [figures] if grows else [])
        await self._containers(pod, [c for c in changes if c.memory], _memory, "memory")
        await self._outside_in(pod, [] if grows or has is None else [figures])
        await self._cpu(pod, [c for c in changes if c.cpu], wanted, has)
        return ""

    async def _cpu(
        self, pod: Object, changes: Sequence[Change], wanted: Resources, has: Resources | None
    ) -> None:
        quota = Resources(cpu_quota_us=wanted.cpu_quota_us, cpu_period_us=wanted.cpu_period_us)
        shares = Resources(cpu_shares=wanted.cpu_shares)
        first: list[Resources] = []
        last: list[Resources] = []
        if has is not None:
            (first if 0 < has.cpu_quota_us < wanted.cpu_quota_us else last).append(quota)
            if has.cpu_shares < wanted.cpu_shares:
                first.append(shares)
            else:
                last.insert(0, shares)
        await self._outside_in(pod, first)
        await self._containers(pod, changes, _cpu, "cpu")
        await self._outside_in(pod, last)

    async def _outside_in(self, pod: Object, several: Sequence[Resources]) -> None:
        """Give the pod's cgroup one set of figures after the other. Raises OSError."""
        cgroups = self._context.cgroups
        for figures in several:
            await self._on_disk(pod, partial(cgroups.resize, pod, figures))

    async def _containers(self, pod: Object, changes: Sequence[Change], figures: Any, name: str) -> None:
        """Give containers their share of one resource, those that shrink first. Raises RuntimeFailure."""
        context, uid = self._context, uid_of(pod)
        for change in sorted(changes, key=lambda c: self._grows(pod, c, figures)):
            wanted: Resources = figures(self._limits(pod, change.container.get("resources")))
            await context.runtime.update_container(change.current.id, wanted)
            now = context.allocations.actual(uid, change.container, change.current)
            given = _with(now, change.container.get("resources") or {}, name)
            context.allocations.actuate(uid, change.current.id, given)

    def _grows(self, pod: Object, change: Change, figures: Any) -> bool:
        wanted = figures(self._limits(pod, change.container.get("resources")))
        has = figures(self._limits(pod, change.actual))
        return bool(
            (wanted.memory_limit_bytes, wanted.cpu_quota_us, wanted.cpu_shares)
            > (has.memory_limit_bytes, has.cpu_quota_us, has.cpu_shares)
        )

    async def _memory_error(
        self, pod: Object, changes: Sequence[Change], wanted: Resources, has: Resources | None
    ) -> str:
        """Which limits of memory would be below what is used."""
        errors = []
        if has is not None and _is_less(wanted.memory_limit_bytes, has.memory_limit_bytes):
            used = await self._on_disk(pod, partial(self._context.cgroups.memory_usage, pod))
            if used is not None and used >= wanted.memory_limit_bytes:
                what = f"attempting to set pod memory limit ({wanted.memory_limit_bytes})"
                errors.append(f"{what} below current usage ({used})")
        lowered = []
        for change in changes:
            limit = self._limits(pod, change.container.get("resources")).memory_limit_bytes
            if _is_less(limit, self._limits(pod, change.actual).memory_limit_bytes):
                lowered.append((change, limit))
        if lowered:
            usages = await self._usages()
            for change, limit in lowered:
                name, used = change.container["name"], usages.get(change.current.id)
                if used is None:
                    errors.append(f'missing memory usage of container "{name}"')
                elif used >= limit:
                    what = f'attempting to set container "{name}" memory limit ({limit})'
                    errors.append(f"{what} below current usage ({used})")
        return aggregate(errors) if errors else ""

    async def _usages(self) -> dict[str, int]:
        """Bytes of memory containers use, by id; nothing from a runtime that does not meter."""
        runtime = self._context.runtime
        told = await runtime.usage() if isinstance(runtime, Meter) else []
        return {usage.container_id: usage.memory_usage_bytes for usage in told}

    def _limits(self, pod: Object, resources: Mapping[str, Any] | None) -> Resources:
        return container_resources(pod, {"resources": resources}, self._context.memory_bytes)

    async def _on_disk(self, pod: Object, work: Any) -> Any:
        return await self._context.disk.run(f"cgroup of pod {uid_of(pod)}", work, CGROUP_TIMEOUT_S)


def _is_less(wanted: int, has: int) -> bool:
    """Whether a limit is lowered, 0 being none."""
    return wanted > 0 and (has == 0 or wanted < has)


def _memory(limits: Resources) -> Resources:
    return Resources(memory_limit_bytes=limits.memory_limit_bytes)


def _cpu(limits: Resources) -> Resources:
    return Resources(
        cpu_shares=limits.cpu_shares, cpu_quota_us=limits.cpu_quota_us, cpu_period_us=limits.cpu_period_us
    )


def _with(resources: Mapping[str, Any], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """`resources` with one of them as `given`."""
    result = dict(resources)
    for kind in ("requests", "limits"):
        amounts = {key: value for key, value in (result.get(kind) or {}).items() if key != name}
        if name in (given.get(kind) or {}):
            amounts[name] = given[kind][name]
        result[kind] = amounts
    return {key: value for key, value in result.items() if value}
