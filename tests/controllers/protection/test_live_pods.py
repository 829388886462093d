"""What is deleted together is let go by a few looks at the namespace's pods, each taken after that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.controllers.base import Controller
from wherry.controllers.protection import claims
from wherry.controllers.protection.claims import ClaimProtection
from wherry.controllers.protection.live_pods import VALID_S, LivePods
from wherry.controllers.protection.pod_groups import PodGroupProtection
from wherry.objects.meta import Object

PODS_THERE = 120
"""Enough that looks at them rest."""
MOST_LOOKS = 6


def group(name: str) -> Object:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": 1}}},
    }


def claim(name: str) -> Object:
    return samples.claim(name=name, finalizers=[claims.FINALIZER])


def looks(bench: Bench) -> int:
    """How often controllers listed pods, the first lists of their caches included."""
    return sum(call.method == "GET" and call.path.endswith("/pods") for call in bench.requests.calls)


@pytest.mark.parametrize(
    ("kind", "resource", "make"),
    [(PodGroupProtection, POD_GROUPS, group), (ClaimProtection, PERSISTENT_VOLUME_CLAIMS, claim)],
)
@pytest.mark.parametrize("count", [20, 80])
async def test_the_looks_do_not_grow_with_what_is_deleted(
    kind: type[Controller], resource: Resource, make: Any, count: int
) -> None:
    before = [(resource, make(f"x{number}")) for number in range(count)]
    before += [(PODS, samples.pod(f"p{number}", spec={})) for number in range(PODS_THERE)]
    async with running(kind, before=before) as bench:
        first = looks(bench)
        await bench.client.delete_collection(resource, "default")
        await bench.clock.advance(5)
        assert await bench.all(resource) == []
        assert 1 <= looks(bench) - first <= MOST_LOOKS


async def test_a_look_holds_for_those_that_were_deleted_before_it_and_for_a_while() -> None:
    async with running(before=[(PODS, samples.pod("p", spec={}))]) as bench:
        waiting = [{"metadata": {"name": name, "namespace": "default", "uid": name}} for name in "ab"]
        used: set[str] = set()

        def uses(_: Object, obj: Object) -> bool:
            return obj["metadata"]["uid"] in used

        live = LivePods(
            bench.client,
            bench.clock,
            lambda _: list(waiting),
            lambda _: ["default/a", "default/b", "default/c"],
            uses,
        )
        a, b = waiting
        assert await live.is_free(a)
        used.update("abc")
        assert live.rest_s(b) == 0
        assert await live.is_free(b), "nobody used it when it waited already"
        assert not await live.is_free(b), "each goes by a look once"
        used.clear()
        c: Object = {"metadata": {"name": "c", "namespace": "default", "uid": "c"}}
        waiting.append(c)
        assert await live.is_free(c), "which the first look was not about"
        used.add("a")
        await bench.clock.advance(VALID_S)
        assert not await live.is_free(a)
