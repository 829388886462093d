"""A pod waits for its claims, whatever mounts them, in upstream's words, and goes when they are bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import eventually
from tests.hurried_clock import HurriedClock
from tests.scheduler.builders import facts, node, world
from tests.scheduler.test_decisions import PROFILE, message
from tests.scheduler.test_scheduler import make_node, make_pod, messages, scheduled, where
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.client.api import Client
from wherry.objects.meta import Object
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.plugins.volume_binding import BIND_COMPLETED, NO_VOLUMES, UNBOUND, VolumeBinding

CLAIM: dict[str, Any] = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
EPHEMERAL: dict[str, Any] = {"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}
BOUND = {BIND_COMPLETED: "yes"}


class Known:
    """Storage of the tests' own."""

    def __init__(self, *claims: Object, classes: dict[str, Object] | None = None) -> None:
        self._claims = {f"default/{claim['metadata']['name']}": claim for claim in claims}
        self._classes = classes or {}

    def claim(self, key: str) -> Object | None:
        return self._claims.get(key)

    def storage_class(self, name: str) -> Object | None:
        return self._classes.get(name)


def claim(name: str = "c", *, phase: str = "Pending", meta: Object | None = None, **spec: Any) -> Object:
    return {"metadata": {"name": name, **(meta or {})}, "spec": spec, "status": {"phase": phase}}


LATER = {"later": {"volumeBindingMode": "WaitForFirstConsumer"}, "now": {"volumeBindingMode": "Immediate"}}
OWNED = {"ownerReferences": [{"controller": True, "uid": "uid-web"}]}


@pytest.mark.parametrize(
    ("volume", "storage", "refusal"),
    [
        ({"name": "v", "emptyDir": {}}, Known(), ""),
        (CLAIM, Known(), 'persistentvolumeclaim "c" not found'),
        (CLAIM, Known(claim()), UNBOUND),
        (CLAIM, Known(claim(volumeName="pv")), UNBOUND),
        (CLAIM, Known(claim(volumeName="pv", meta={"annotations": BOUND})), ""),
        (CLAIM, Known(claim(storageClassName="now"), classes=LATER), UNBOUND),
        (CLAIM, Known(claim(storageClassName="later"), classes=LATER), NO_VOLUMES),
        (CLAIM, Known(claim(storageClassName="gone"), classes=LATER), UNBOUND),
        (
            CLAIM,
            Known(claim(phase="Lost", volumeName="pv")),
            'persistentvolumeclaim "c" bound to non-existent persistentvolume "pv"',
        ),
        (
            CLAIM,
            Known(claim(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"})),
            'persistentvolumeclaim "c" is being deleted',
        ),
        (
            EPHEMERAL,
            Known(),
            'waiting for ephemeral volume controller to create the persistentvolumeclaim "web-v"',
        ),
        (
            EPHEMERAL,
            Known(claim("web-v")),
            "PVC default/web-v was not created for pod default/web (pod is not owner)",
        ),
        (EPHEMERAL, Known(claim("web-v", meta={"annotations": BOUND, **OWNED}, volumeName="pv")), ""),
    ],
)
def test_which_pods_are_refused(volume: Object, storage: Known, refusal: str) -> None:
    found = VolumeBinding().prepare(facts(volumes=[volume]), world(claims=storage))
    assert (found.reason if found is not None else "") == refusal


def test_the_words() -> None:
    tail = "no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful"
    where = world(node("a"), node("b"), claims=Known(claim()))
    assert message(facts(volumes=[CLAIM]), where) == (
        f"0/2 nodes are available: {UNBOUND}. {tail} for scheduling."
    )
    assert Evaluation(PROFILE, facts(volumes=[CLAIM]), where).trace().rejecting() == ("VolumeBinding",)
    where = world(node("a"), node("b"), claims=Known(claim(storageClassName="later"), classes=LATER))
    assert message(facts(volumes=[CLAIM]), where) == (
        f"0/2 nodes are available: 2 {NO_VOLUMES}. {tail} for scheduling."
    )


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an API server whose pods are scheduled."""
    async with scheduled(HurriedClock()) as (found, _):
        yield found


async def test_a_pod_goes_when_its_claim_is_bound(client: Client) -> None:
    await make_node(client, "n1")
    await make_pod(client, "web", volumes=[CLAIM])

    async def is_told(text: str) -> bool:
        return any(text in message for message in await messages(client, "FailedScheduling"))

    await eventually(lambda: is_told('persistentvolumeclaim "c" not found'))
    wanted: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    await client.create(PERSISTENT_VOLUME_CLAIMS, wanted, "default")
    await eventually(lambda: is_told(UNBOUND))
    bound = {"metadata": {"annotations": BOUND}, "spec": {"volumeName": "pv"}}
    await client.patch(PERSISTENT_VOLUME_CLAIMS, "c", "default", bound)

    async def is_placed() -> bool:
        return await where(client, "web") == "n1"

    await eventually(is_placed)


async def test_other_pods_do_not_wait(client: Client) -> None:
    await make_node(client, "n1")
    await make_pod(client, "waits", volumes=[CLAIM])
    await make_pod(client, "goes")

    async def is_placed() -> bool:
        return await where(client, "goes") == "n1"

    await eventually(is_placed)
    assert await where(client, "waits") == ""
