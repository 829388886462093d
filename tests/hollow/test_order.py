"""One seed, one order: the same simulation writes the same versions in the same order."""

from __future__ import annotations

from tests.apiserver.rig import pod
from tests.hollow.test_stage_files import stage
from wherry.hollow.outcomes import Chosen, Exits, Outcome
from wherry.hollow.stage_files import read_stages
from wherry.objects.meta import name_of, revision_of
from wherry.testing import Cluster

JITTER = stage(
    "start",
    "  selector: {matchExpressions: [{key: .status.podIP, operator: DoesNotExist}]}\n"
    "  delay: {durationMilliseconds: 100, jitterDurationMilliseconds: 9000}\n"
    "  next: {statusTemplate: 'podIP: {{ PodIP }}'}\n",
)
CRASHING = Outcome(chosen=Chosen(names=["crash-*"]), exits=Exits(1, after_s=3))


def history(seed: int) -> list[tuple[str, str]]:
    """Which pod was written at which version."""
    with Cluster(
        nodes=3,
        controllers=["service-account"],
        scheduler=False,
        stages=read_stages(JITTER, "f"),
        outcomes=[CRASHING],
        seed=seed,
    ) as c:
        for number in range(20):
            name = f"{'crash' if number % 3 == 0 else 'calm'}-{number}"
            c.client.create(pod(name, nodeName=f"node-{number % 3}"))
        c.clock.advance("40s")
        pods = c.client.list("pods")
        return sorted((revision_of(pod), f"{name_of(pod)} {pod['status'].get('podIP')}") for pod in pods)


def test_the_same_seed_gives_the_same_order() -> None:
    first = history(1)
    assert len(first) == 20
    assert history(1) == first
    assert history(2) != first
