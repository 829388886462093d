"""Simulated nodes that are not asked for any more: they go, and the pods on them end at once.

Of a real node that is deleted, nobody knows whether its containers still run: its pods wait for the pod
garbage collector's quarantine. Of a simulated one everybody does. The nodes go first, so that no pod is
bound to them any more, and none of a DaemonSet made for them anew; what was being bound meanwhile is seen by
looking again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeVar

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.controllers.pod_control import report_disruption
from wherry.kit.clock import Clock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, metadata, name_of, namespace_of, uid_of

T = TypeVar("T")

AT_ONCE = 32
"""How many requests are under way at most."""
PAGE = 500
"""How many pods are read at once."""
DISRUPTION = "the simulated node is not asked for any more"


async def retire(client: Client, clock: Clock, names: Collection[str]) -> int:
    """Delete the nodes `names` and every pod on them; how many pods there were. Raises ApiError."""

    async def delete_node(name: str) -> None:
        await client.delete(NODES, name)

    async def end_pod(pod: Object) -> None:
        await _end(client, clock, pod)

    await _each(names, delete_node)
    gone, ended = frozenset(names), set[str]()
    while pods := [pod for pod in await _pods_on(client, gone) if uid_of(pod) not in ended]:
        await _each(pods, end_pod)
        ended |= {uid_of(pod) for pod in pods}  # those that a finalizer holds are still there
    return len(ended)


async def _pods_on(client: Client, nodes: Collection[str]) -> list[Object]:
    found: list[Object] = []
    following = ""
    while True:
        page = await client.list(PODS, field_selector="spec.nodeName!=", limit=PAGE, continue_token=following)
        found += [pod for pod in page.items if (pod.get("spec") or {}).get("nodeName") in nodes]
        following = page.continue_token
        if not following:
            return found


async def _end(client: Client, clock: Clock, pod: Object) -> None:
    """Delete a pod at once; one that somebody holds is over first, so that its holder lets it go."""
    is_over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    if metadata(pod).get("finalizers") and not is_over:
        await report_disruption(client, clock, pod, "DeletionByPodGC", DISRUPTION, phase="Failed")
    await client.delete(PODS, name_of(pod), namespace_of(pod), grace_period_s=0, uid=uid_of(pod))


async def _each(items: Iterable[T], act: Callable[[T], Awaitable[None]]) -> None:
    """`act` on all of them, some at once; what is gone already is well. Raises ApiError."""
    rest = iter(items)

    async def some() -> None:
        for item in rest:
            try:
                await act(item)
            except ApiError as error:
                # 409: another pod has the name by now.
                if error.code not in (404, 409):
                    raise

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
