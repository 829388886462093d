"""Static pods on a node with a fake runtime, and their mirrors on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import NODE, Node, node
from tests.kubelet.static_pods.manifests import put
from wherry.api.core.nodes import NODES
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pods import PODS
from wherry.apiserver.call import Call, Result
from wherry.kubelet.pod import HASH, SOURCE
from wherry.kubelet.runtimes.containers import Phase
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object, annotations_of, name_of, uid_of

WEB = f"web-{NODE}"
MEMORY = {"memory": "2Gi"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "manifests"
    made.mkdir()
    return made


@pytest.fixture
async def made(tmp_path: Path, folder: Path) -> AsyncIterator[Node]:
    async with node(tmp_path, static_pod_path=folder) as running:
        yield running


@dataclass
class Away:
    """An API server that answers nobody, until it is back: an `apiserver.core.Interceptor`."""

    is_back: bool = False

    def __call__(self, call: Call, go_on: Callable[[], Result]) -> Result:
        if not self.is_back:
            raise service_unavailable("away")
        return go_on()


async def running(made: Node, *images: str) -> None:
    async def there() -> bool:
        return made.runtime.names() == list(images)

    await eventually(there)


async def mirror_is(made: Node, check: Callable[[Object], bool]) -> Object:
    found: Object = {}

    async def holds() -> bool:
        nonlocal found
        if await made.gone(WEB):
            return False
        found = await made.pod(WEB)
        return check(found)

    await eventually(holds)
    return found


async def test_a_manifest_is_a_pod_with_a_mirror(made: Node, folder: Path) -> None:
    put(folder, terminationGracePeriodSeconds=7)
    status = await made.ready_mirror(WEB)
    assert (status["phase"], status["podIP"], status["hostIP"]) == ("Running", "10.0.0.1", "192.0.2.1")
    assert {c["type"]: c["status"] for c in status["conditions"]}["PodScheduled"] == "True"
    pod = await made.pod(WEB)
    annotations = annotations_of(pod)
    assert annotations[SOURCE] == "file"
    assert annotations[MIRROR] == annotations[HASH] != uid_of(pod)
    sandbox = (await made.runtime.sandboxes())[0]
    assert (sandbox.name, sandbox.uid) == (WEB, annotations[HASH])
    owner = pod["metadata"]["ownerReferences"]
    its_node = await made.admin.get(NODES, NODE)
    assert owner == [
        {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": uid_of(its_node), "controller": True}
    ]
    assert "serviceAccountName" not in pod["spec"]
    assert [(name_of(p), uid_of(p), p["status"]["phase"]) for p in made.kubelet.pods()] == [
        (WEB, annotations[HASH], "Running")
    ]
    await made.said("Started", "Container started")

    (folder / "web.yaml").unlink()
    await eventually(lambda: made.gone(WEB))
    assert made.runtime.stopped[0][1] == 7

    async def clean() -> bool:
        return not await made.runtime.sandboxes() and made.kubelet.workers == 0

    await eventually(clean)
    assert not list((made.config.root_dir / "pods").glob("*"))


async def test_deleting_the_mirror_ends_nothing(made: Node, folder: Path) -> None:
    put(folder)
    await made.ready_mirror(WEB)
    first, container = await made.pod(WEB), made.runtime.find("web").id
    await made.admin.delete(PODS, WEB, "default")
    await mirror_is(made, lambda pod: uid_of(pod) != uid_of(first))
    status = await made.ready_mirror(WEB)
    assert status["containerStatuses"][0]["containerID"].endswith(container)
    assert made.runtime.stopped == []


async def test_another_manifest_is_another_pod(made: Node, folder: Path) -> None:
    """The one before ends with its grace and first; the mirror is replaced."""
    put(folder)
    await made.ready_mirror(WEB)
    before = await made.pod(WEB)
    put(folder, containers=[{"name": "other", "image": "nginx:1.27"}])
    await mirror_is(made, lambda pod: pod["spec"]["containers"][0]["name"] == "other")
    await made.ready_mirror(WEB)
    now = await made.pod(WEB)
    assert uid_of(now) != uid_of(before)
    assert annotations_of(now)[HASH] != annotations_of(before)[HASH]
    assert made.runtime.names() == ["other"]


async def test_it_runs_before_there_is_an_api_server(tmp_path: Path, folder: Path) -> None:
    put(folder)
    async with node(tmp_path, starts=False, static_pod_path=folder) as made:
        away = made.rig.server.core.interceptor = Away()
        starting = asyncio.ensure_future(made.kubelet.start())
        await running(made, "web")
        made.runtime.finish(made.runtime.find("web").id, 1)
        await running(made, "web")  # restarted, by its policy
        assert not starting.done()
        away.is_back = True
        await made.clock.advance(10)
        await starting
        status = await made.ready_mirror(WEB)
        assert status["containerStatuses"][0]["restartCount"] == 1


async def test_another_agent_takes_over_what_runs(made: Node, folder: Path) -> None:
    put(folder)
    await made.ready_mirror(WEB)
    before, mirror = made.runtime.find("web").id, await made.pod(WEB)
    await made.restart()
    status = await made.ready_mirror(WEB)
    assert status["containerStatuses"][0]["containerID"].endswith(before)
    assert status["startTime"] == mirror["status"]["startTime"]
    assert uid_of(await made.pod(WEB)) == uid_of(mirror)
    assert made.runtime.names() == ["web"]


async def test_what_changed_while_no_agent_ran(made: Node, folder: Path) -> None:
    """What is no longer wanted ends, though no API server is there; what takes its name comes after it."""
    put(folder)
    put(folder, "gone")
    await made.ready_mirror(WEB)
    await made.ready_mirror(f"gone-{NODE}")
    away = Away()
    await made.kubelet.close()
    (folder / "gone.yaml").unlink()
    put(folder, containers=[{"name": "other", "image": "nginx:1.27"}])
    made.rig.server.core.interceptor = away
    starting = asyncio.ensure_future(made.restart())
    await running(made, "other")
    away.is_back = True
    await made.clock.advance(10)
    await starting
    await eventually(lambda: made.gone(f"gone-{NODE}"))
    await mirror_is(made, lambda pod: pod["spec"]["containers"][0]["name"] == "other")


async def test_a_mirror_of_nothing_is_deleted(made: Node) -> None:
    await made.create(
        "fake", metadata={"annotations": {MIRROR: "1234"}}, containers=[{"name": "c", "image": "i"}]
    )
    await eventually(lambda: made.gone("fake"))
    assert made.runtime.names() == []


async def test_a_pod_of_the_api_server_does_not_pass_for_a_static_one(made: Node) -> None:
    """A static pod is never evicted, and makes others go."""
    await made.create("sly", metadata={"annotations": {SOURCE: "file"}})
    await made.ready("sly")
    assert [annotations_of(pod)[SOURCE] for pod in made.kubelet.pods()] == ["api"]


async def test_others_make_room_for_a_static_pod(made: Node, folder: Path) -> None:
    container = {"name": "big", "image": "nginx:1.27", "resources": {"requests": MEMORY}}
    await made.create("big", containers=[container])
    await made.create("small")
    await made.ready("big")
    await made.ready("small")
    put(
        folder,
        containers=[{"name": "web", "image": "nginx:1.27", "resources": {"requests": {"memory": "3Gi"}}}],
    )
    await made.ready_mirror(WEB)
    status = await made.until("big", lambda status: status["phase"] == "Failed")
    assert (status["reason"], status["message"]) == (
        "Preempting",
        "Preempted in order to admit critical pod",
    )
    assert (await made.status("small"))["phase"] == "Running"


async def test_a_static_pod_there_is_no_room_for_is_rejected(made: Node, folder: Path) -> None:
    put(folder, containers=[{"name": "web", "image": "nginx:1.27", "resources": {"requests": {"cpu": "9"}}}])
    found = await mirror_is(made, lambda pod: pod["status"]["phase"] == "Failed")
    assert found["status"]["reason"] == "UnexpectedAdmissionError"
    assert found["status"]["message"] == (
        "Pod was rejected: unexpected error: preemption: error finding a set of pods to preempt: "
        "no set of running pods found to reclaim resources: [(cpu, q: 7000), ]"
    )


async def test_a_node_made_anew_owns_other_mirrors(made: Node, folder: Path) -> None:
    put(folder)
    await made.ready_mirror(WEB)
    first = await made.pod(WEB)
    await made.admin.delete(NODES, NODE)
    await made.admin.delete(PODS, WEB, "default", grace_period_s=0)  # as the garbage collector does

    async def is_back() -> bool:
        await made.clock.advance(made.config.status_period_s / 3)
        return not await made.gone(WEB)

    await eventually(is_back)
    now = await made.pod(WEB)
    assert uid_of(now) != uid_of(first)
    assert now["metadata"]["ownerReferences"][0]["uid"] == uid_of(await made.admin.get(NODES, NODE))


async def test_a_pod_that_did_its_work_stays_done(made: Node, folder: Path) -> None:
    put(folder, restartPolicy="Never")
    await made.ready_mirror(WEB)
    made.runtime.finish(made.runtime.find("web").id, 0)
    await mirror_is(made, lambda pod: pod["status"]["phase"] == "Succeeded")
    await made.restart()
    await mirror_is(made, lambda pod: pod["status"]["phase"] == "Succeeded")
    assert made.runtime.names(Phase.RUNNING) == []


async def test_a_kubelet_without_any_api_server(tmp_path: Path, folder: Path) -> None:
    put(folder)
    async with node(tmp_path, static_pod_path=folder, is_standalone=True) as made:
        made.rig.server.core.interceptor = Away()
        await running(made, "web")
        put(folder, containers=[{"name": "other", "image": "nginx:1.27"}])
        await running(made, "other")
        (pod,) = made.kubelet.pods()
        assert name_of(pod) == WEB

        async def shows_it() -> bool:
            return bool(made.kubelet.pods()[0]["status"]["phase"] == "Running")

        await eventually(shows_it)
