"""What a test asks for and cannot have: one clear exception, nothing damaged and nothing left running."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.timing import PATIENCE_S
from wherry.hollow.documents import StageError
from wherry.objects.errors import ApiError
from wherry.testing import (
    AsyncCluster,
    BackwardsError,
    ClosedError,
    Cluster,
    ManifestError,
    SettingsError,
    UnknownKindError,
    WrongThreadError,
)
from wherry.testing.client import SyncClient

STAGE = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: odd}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  slector: {}
  next: {}
"""
OUTCOME = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: odd}
spec: {exit: {code: 3}}
"""


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    Cluster(controllers="none", scheduler=False).start().close()  # what a process keeps is there from now on
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"controllers": ["deploymnt"]},
            SettingsError,
            "'deploymnt' is not a known controller; did you mean deployment\\? Known: ",
        ),
        ({"start": "2026-01-01"}, SettingsError, "start: '2026-01-01' is no time; use datetime"),
        ({"controllers": "some"}, SettingsError, "controllers: 'some' is neither 'all' nor 'none'"),
        (
            {"node": 3},
            SettingsError,
            "node: no such setting; did you mean nodes\\? There are nodes, controllers, ",
        ),
        ({"nodes": "3"}, SettingsError, "nodes: '3' is no number; give an int"),
        ({"nodes": -1}, SettingsError, "nodes: -1 is negative"),
        ({"port": 70000}, SettingsError, "port: 70000 is no port"),
        ({"nodes": 10_000_000}, SettingsError, "nodes: 10000000 is too many; use 100000 at most"),
        ({"runtime_config": 5}, SettingsError, "runtime_config: 5 is no map"),
        ({"runtime_config": {"batch/v1": "no"}}, SettingsError, "batch/v1: 'no' is neither True nor False"),
        ({"runtime_config": {"v1": False}}, SettingsError, "runtime_config: v1 cannot be false"),
        ({"runtime_config": {"nope/v1": True}}, SettingsError, "runtime_config: 'nope/v1' is not known"),
        ({"enable_admission_plugins": "Nope"}, SettingsError, "'Nope' is no list; give a list of names"),
        ({"start": datetime(9999, 12, 31, tzinfo=UTC)}, SettingsError, "not within the years 1970 to 9000"),
        ({"start": datetime(1969, 12, 31, tzinfo=UTC)}, SettingsError, "not within the years 1970 to 9000"),
        (
            {"crds": "/no/such/folder"},
            ManifestError,
            "'/no/such/folder' is no YAML of an object; give a file or",
        ),
        ({"objects": ["/no/such/file.yaml"]}, ManifestError, "/no/such/file.yaml: No such file"),
        ({"stages": [STAGE]}, StageError, "stages: spec.slector: unknown field; known: delay, "),
        ({"outcomes": [OUTCOME]}, StageError, "outcomes: spec.exit: unknown field; known: completesAfter, "),
        ({"stages": [Path("/no/such/file")]}, StageError, "/no/such/file: cannot be read"),
        ({"crds": ["kind: Nothing\n"]}, ManifestError, "apiVersion is missing"),
        ({"crds": ["a: [1\nb: 2\n"]}, ManifestError, "not valid YAML in line 2: did not find expected ','"),
        ({"objects": [{"apiVersion": "v1", "kind": "Podd"}]}, UnknownKindError, "Podd.*; did you mean Pod"),
        (
            {"objects": [{"apiVersion": "apps/v7", "kind": "Deployment"}]},
            UnknownKindError,
            '"Deployment" in version "apps/v7"; it is served as apps/v1',
        ),
        (
            {"objects": [{"apiVersion": "example.org/v1", "kind": "Foo"}]},
            UnknownKindError,
            "apply its CustomResourceDefinition first",
        ),
        (
            {"outcomes": ["quick"]},
            SettingsError,
            "outcomes: 'quick' is no outcome; there are fast, general; ",
        ),
        ({"outcomes": "genral"}, SettingsError, "'genral' is no outcome; did you mean general. There are"),
    ],
)
def test_a_cluster_that_cannot_be_made(
    settings: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Cluster(**settings).start()  # type: ignore[arg-type]  # wrong on purpose


def test_a_closed_cluster() -> None:
    c = Cluster(controllers="none", scheduler=False)
    uses: list[Callable[[], object]] = [
        c.fork,
        c.snapshot,
        c.events,
        c.report,
        lambda: c.client.list("pods"),
        lambda: c.apply("kind: x\n"),
        lambda: c.clock.advance(1),
        lambda: c.wait("pod/p"),
        lambda: c.kubeconfig,
        lambda: c.faults,
        lambda: c.nodes,
    ]

    def refused() -> None:
        for use in uses:
            with pytest.raises(ClosedError, match="does not run"):
                use()

    refused()
    with c:
        client, watch = c.client, c.client.watch("pods")
    refused()
    with pytest.raises(ClosedError, match="is closed"):
        client.list("pods")
    with pytest.raises(ClosedError, match="is closed"):
        watch.next("1s")
    c.close()


def test_a_namespace_that_is_no_name() -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "space"}}
    with Cluster(controllers="none", scheduler=False) as c:
        uses: list[Callable[[Any], object]] = [
            lambda namespace: c.apply({"apiVersion": "v1", "kind": "ConfigMap"}, namespace),
            lambda namespace: c.client.get("cm", "m", namespace),
            lambda namespace: c.client.list("cm", namespace),
            lambda namespace: c.client.watch("cm", namespace),
            lambda namespace: c.wait("cm/m", namespace=namespace),
        ]
        for use in uses:
            with pytest.raises(TypeError, match="a namespace is given by its name, a str, not as dict"):
                use(space)


def test_time_moved_backwards() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        now = c.clock.now()
        for span in (-1, "-1s"):
            with pytest.raises((BackwardsError, ValueError), match=r"only runs forwards|no span of time"):
                c.clock.advance(span)
        assert c.clock.now() == now


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Cluster(port=port, controllers="none", scheduler=False) as c:
            with pytest.raises(OSError, match=f"on port {port}: Address already in use; choose") as refused:
                _ = c.kubeconfig
            assert refused.value.strerror == "Address already in use", "callers name a remedy of their own"
            begun = c.clock.now()
            assert c.client.list("namespaces"), "the cluster goes on"
            assert c.clock.now() == begun, "and its time stands still"
            taken.close()
            assert f"127.0.0.1:{port}" in c.kubeconfig.read_text()


def test_a_cluster_called_from_inside_itself() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        with pytest.raises(WrongThreadError, match="which would wait for itself"):
            c.wait("namespace/default", lambda _: c.client.list("pods"))
        assert c.client.list("namespaces")


def test_a_request_that_waits_in_vain_is_answered() -> None:
    spec = {"containers": [{"name": "c", "image": "nginx"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    with Cluster(controllers="none", scheduler=False) as c:
        before = c.clock.now()
        with pytest.raises(ApiError, match='serviceaccount "default" not found'):
            c.apply(pod)  # which the server looks for again and again
        assert timedelta() < c.clock.now() - before < timedelta(seconds=5)


def test_a_cluster_in_a_thread_of_its_own() -> None:
    """Made, used and closed where no signal comes and no loop runs: a fixture of a test that uses threads."""

    def made() -> int:
        with Cluster(controllers="none", scheduler=False) as c:
            return len(c.client.list("namespaces"))

    with ThreadPoolExecutor(2) as pool:
        assert [future.result(30) for future in [pool.submit(made) for _ in range(2)]] == [4, 4]


def test_a_thread_that_waits_while_the_cluster_is_closed() -> None:
    begun = threading.Event()

    def never(_: object) -> bool:
        begun.set()
        return False

    def wait(c: Cluster) -> None:
        c.wait("namespace/default", never, timeout="1h")

    def wait_in_a_loop(c: AsyncCluster) -> None:
        asyncio.run(c.wait("namespace/default", never, timeout="1h"))

    settings = {"controllers": "none", "scheduler": False, "real_time": True}
    with ThreadPoolExecutor(1) as pool:
        with Cluster(**settings) as c:  # type: ignore[arg-type]
            waiting = pool.submit(wait, c)
            assert begun.wait(PATIENCE_S)
        with pytest.raises(ClosedError, match="closed while this call was under way"):
            waiting.result(30)
        begun.clear()
        other = AsyncCluster(**settings)  # type: ignore[arg-type]
        other.open()
        waiting = pool.submit(wait_in_a_loop, other)
        assert begun.wait(PATIENCE_S)
        other.shut()
        with pytest.raises(ClosedError, match="closed while this call was under way"):
            waiting.result(30)


def test_threads_may_use_one_cluster_at_once() -> None:
    def make(client: SyncClient, number: int) -> str:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{number}"}}
        name: str = client.create(body)["metadata"]["name"]
        return name

    with Cluster(controllers="none", scheduler=False) as c:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda number: make(c.client, number), range(40)))
        assert {m["metadata"]["name"] for m in c.client.list("cm", "default")} >= set(made)
        assert len(set(made)) == 40


@pytest.mark.parametrize(
    "source", ["", "\n", "# nothing\n---\n", {"apiVersion": "v1", "kind": "List", "items": []}]
)
def test_nothing_to_apply(source: Any, tmp_path: Path) -> None:
    """A variable that is empty by mistake would test nothing (kubectl: "no objects passed to apply")."""
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n")
    with Cluster(controllers="none", scheduler=False) as c:
        for given in (source, [source], empty, str(empty), tmp_path):
            with pytest.raises(ManifestError, match="there are no objects in it; give a manifest of one at"):
                c.apply(given)
        assert c.apply([]) == [], "a list that somebody made is as long as it is"
