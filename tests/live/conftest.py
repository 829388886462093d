"""One cluster for all live tests, the images they use, and a namespace for each test."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cluster import BUSYBOX, NGINX, LiveCluster, until
from tests.live.machine import footprint
from wherry.kit.mounts import mounts_below

STARTED = pytest.StashKey[LiveCluster]()
"""The cluster of all live tests, once it runs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the real thing."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Archives of nginx and busybox, packed from Debian's packages."""
    directory = tmp_path_factory.mktemp("images")
    packer = LiveCluster(directory=directory)
    archives = {NGINX: directory / "nginx.tar", BUSYBOX: directory / "busybox.tar"}
    # nginx gets a shell too, for tests that look inside.
    for packages, name in ((("nginx-light", "busybox-static"), NGINX), (("busybox-static",), BUSYBOX)):
        packer.wherry("image", "pack", *packages, "--name", name, "--output", str(archives[name]))
    return archives


@pytest.fixture(scope="session")
def cluster(images: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[LiveCluster]:
    """A running cluster with both images; at the end nothing of it is left on the machine."""
    assert os.geteuid() == 0, "live tests need root"
    # Short: socket paths below it must fit into 107 bytes.
    directory = Path("/tmp") / f"wherry-live-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    found = LiveCluster(directory=directory)
    try:
        found.up()
        # Else an empty footprint at the end would tell nothing.
        assert footprint(found.marks).found().keys() >= {"interfaces", "rules", "routes", "processes"}
        for archive in images.values():
            found.wherry("image", "load", str(archive))
        request.session.stash[STARTED] = found
        yield found
        found.wherry("delete")
        assert footprint(found.marks).found() == {}
        assert not (directory / "data" / found.name).exists()
        shutil.rmtree(directory)
    except BaseException:
        found.try_wherry("down")  # the data stays for a look at the logs
        raise


@pytest.fixture
def namespace(cluster: LiveCluster) -> Iterator[str]:
    """A namespace of the test's own, deleted with all its content."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=true", "--timeout=90s")


@pytest.fixture(scope="module", autouse=True)
def _leaves_no_pods(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each file no pod is left in the cluster, and no mount of one: later files count on it."""
    yield
    cluster = request.session.stash.get(STARTED, None)
    if cluster is None:
        return
    left: list[str] = []

    def gone() -> bool:
        pods = [pod["metadata"] for pod in cluster.get("pods", "--all-namespaces")["items"]]
        left[:] = [f"{pod['namespace']}/{pod['name']} {pod['uid']}" for pod in pods]
        left.extend(str(point) for point in mounts_below((cluster.node_paths.kubelet / "pods",)))
        return not left

    until(gone, 60.0, lambda: f"{request.path.name} leaves {left}")
