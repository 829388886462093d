"""One seed, one order: the same simulation writes the same versions in the same order."""

from __future__ import annotations

from tests.hollow.rig import simulated
from tests.hollow.test_stage_files import stage
from wherry.api.core.pods import PODS
from wherry.hollow.machines import NodeTemplate
from wherry.hollow.outcomes import Chosen, Exits, Outcome
from wherry.hollow.stage_files import read_stages
from wherry.objects.meta import name_of, revision_of

JITTER = stage(
    "start",
    "  selector: {matchExpressions: [{key: .status.podIP, operator: DoesNotExist}]}\n"
    "  delay: {durationMilliseconds: 100, jitterDurationMilliseconds: 9000}\n"
    "  next: {statusTemplate: 'podIP: {{ PodIP }}'}\n",
)
CRASHING = Outcome(chosen=Chosen(names=["crash-*"]), exits=Exits(1, after_s=3))


async def history(seed: int) -> list[tuple[str, str]]:
    """Which pod was written at which version."""
    async with simulated(
        NodeTemplate(count=3), stages=read_stages(JITTER, "f"), outcomes=[CRASHING], seed=seed
    ) as s:
        for number in range(20):
            name = f"{'crash' if number % 3 == 0 else 'calm'}-{number}"
            await s.pod(name, nodeName=f"hollow-{number % 3}")
        await s.advance(40)
        pods = (await s.client.list(PODS, "default")).items
        return sorted((revision_of(pod), f"{name_of(pod)} {pod['status'].get('podIP')}") for pod in pods)


async def test_the_same_seed_gives_the_same_order() -> None:
    first = await history(1)
    assert await history(1) == first
    assert await history(2) != first
