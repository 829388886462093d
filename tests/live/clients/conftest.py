"""The compatibility page, and a namespace that every client may look at."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.live.clients.page import Page
from tests.live.clients.trials.base import Bench, furnish
from tests.live.cluster import LiveCluster


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Page:
    """docs/compatibility.md, rewritten under `--update-golden`."""
    return Page(update=bool(request.config.getoption("--update-golden")))


@pytest.fixture(scope="module")
def furnished(cluster: LiveCluster) -> Iterator[str]:
    """A namespace with a pod that prints lines, a Deployment of nginx and its Service."""
    name = f"furnished-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    furnish(Bench(cluster, name, cluster.directory))
    yield name
    cluster.kubectl("delete", "namespace", name, "--timeout=90s")


@pytest.fixture
def kubeconfig(cluster: LiveCluster) -> str:
    """The path of the kubeconfig that `wherry up` wrote."""
    return cluster.environment["KUBECONFIG"]
