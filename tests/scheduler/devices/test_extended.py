"""Which devices the containers of a pod get for extended resources."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scheduler.devices.builders import device_class
from wherry.objects.meta import Object
from wherry.scheduler.devices.extended import requests_for, resources_of

GPU = "example.com/gpu"


def container(name: str, count: int, **more: Any) -> Object:
    requests = {"cpu": "1", **({GPU: str(count)} if count else {})}
    return {"name": name, "resources": {"requests": requests}, **more}


def shown(initial: list[Object], containers: list[Object]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    pod = {"metadata": {"name": "p"}, "spec": {"initContainers": initial, "containers": containers}}
    requests, mappings = requests_for(pod, [GPU], lambda _: "gpu")
    counts = {one["name"]: one["exactly"]["count"] for one in requests}
    return counts, [(one["containerName"], one["requestName"]) for one in mappings]


FIRST, SECOND, THIRD = (f"container-{index}-request-1" for index in range(3))
SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("initial", "containers", "counts", "uses"),
    [
        ([], [container("a", 2)], {FIRST: 2}, [("a", FIRST)]),
        (
            [],
            [container("a", 1), container("b", 2)],
            {FIRST: 1, SECOND: 2},
            [("a", FIRST), ("b", SECOND)],
        ),
        ([], [container("a", 0), container("b", 1)], {SECOND: 1}, [("b", SECOND)]),
        # An init container that ends uses what comes after it.
        ([container("i", 1)], [container("a", 1)], {SECOND: 1}, [("a", SECOND), ("i", SECOND)]),
        (
            [container("i", 3)],
            [container("a", 1)],
            {FIRST: 2, SECOND: 1},
            [("a", SECOND), ("i", SECOND), ("i", FIRST)],
        ),
        # Of two only the larger adds to the claim.
        (
            [container("i", 1), container("j", 3)],
            [container("a", 0)],
            {SECOND: 3},
            [("i", SECOND), ("j", SECOND)],
        ),
        (
            [container("s", 1, **SIDECAR), container("j", 1)],
            [container("a", 0)],
            {FIRST: 1, SECOND: 1},
            [("s", FIRST), ("j", SECOND)],
        ),
    ],
)
def test_requests(
    initial: list[Object], containers: list[Object], counts: dict[str, int], uses: list[tuple[str, str]]
) -> None:
    assert shown(initial, containers) == (counts, uses)


def test_the_newest_class_stands_for_a_resource() -> None:
    classes = [device_class(name, extendedResourceName=GPU) for name in ("b", "a", "c")]
    for one, when in zip(classes, ("2026-01-01", "2026-01-02", "2026-01-02"), strict=True):
        one["metadata"]["creationTimestamp"] = f"{when}T00:00:00Z"
    found = resources_of(classes)
    assert found[GPU] == "a"
    assert found["deviceclass.resource.kubernetes.io/c"] == "c"
