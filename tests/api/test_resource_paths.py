"""Where objects are, and that no name leads elsewhere."""

from __future__ import annotations

import pytest

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.objects.errors import ApiError


@pytest.mark.parametrize(
    ("resource", "place", "path"),
    [
        (PODS, ("ns",), "/api/v1/namespaces/ns/pods"),
        (PODS, (), "/api/v1/pods"),
        (PODS, ("ns", "p", "log"), "/api/v1/namespaces/ns/pods/p/log"),
        (NODES, ("", "https:n:10250", "proxy"), "/api/v1/nodes/https:n:10250/proxy"),
    ],
)
def test_paths(resource: Resource, place: tuple[str, ...], path: str) -> None:
    assert resource.path(*place) == path


@pytest.mark.parametrize(
    "place", [("", "n/proxy/run"), ("", ".."), ("", "."), ("", "a%2fb"), ("ns/pods/p", "x"), ("..", "x")]
)
def test_names_that_lead_elsewhere(place: tuple[str, str]) -> None:
    """An owner reference, say, may have any name: whoever follows it must not ask for something else."""
    with pytest.raises(ApiError, match="invalid resource name") as caught:
        PODS.path(*place)
    assert caught.value.code == 400
