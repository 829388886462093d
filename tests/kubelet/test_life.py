"""What can happen to a pod: restarts of the agent, failing images, hooks, probes, deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.builders import make_pod
from tests.kubelet.rig import IMAGE, Node, is_ready, make_kubelet, node, state, waiting
from wherry.api.core.pods import PODS
from wherry.kit.clock import settle
from wherry.kubelet.environment import ConfigFailure
from wherry.kubelet.plan import Start
from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.streams import ExecResult
from wherry.kubelet.workers.container import NodeTerms, container_spec
from wherry.objects.meta import Object


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


def http_probe(path: str, **more: Any) -> Object:
    return {"httpGet": {"path": path, "port": 80}, "periodSeconds": 2, **more}


async def restart_agent(made: Node, between: Any = None) -> None:
    """Stop the agent as a kill would leave things, then start another one."""
    await made.kubelet.close()
    if between is not None:
        await between()
    arguments = (made.config, made.runtime, made.clock, made.mounts, made.prober)
    made.kubelet = make_kubelet(made.rig, *arguments)
    await made.kubelet.start()


async def test_new_agent_adopts_what_runs(made: Node) -> None:
    await made.create("web", {"readinessProbe": http_probe("/ready")})
    before = await made.ready("web")
    revision = (await made.pod("web"))["metadata"]["resourceVersion"]
    calls = dict(made.runtime.calls)
    await restart_agent(made)
    await eventually(lambda: made.runtime.calls["containers"] > calls["containers"] + 1)
    await settle()
    assert made.runtime.calls["start_container"] == 1
    assert made.runtime.calls["run_sandbox"] == 1
    pod = await made.pod("web")
    assert pod["metadata"]["resourceVersion"] == revision, "nothing changed, nothing is written"
    assert pod["status"] == before


async def test_new_agent_removes_pods_that_went_meanwhile(made: Node) -> None:
    await made.create("web")
    await made.ready("web")

    async def delete() -> None:
        await made.admin.delete(PODS, "web", "default", grace_period_s=0)

    await restart_agent(made, delete)

    async def clean() -> bool:
        return not await made.runtime.sandboxes()

    await eventually(clean)
    assert not list((made.config.root_dir / "pods").glob("*"))


async def test_new_agent_restarts_what_ended_meanwhile(made: Node) -> None:
    await made.create("web")
    await made.ready("web")

    async def crash() -> None:
        made.runtime.finish(made.runtime.find("web").id, 3)

    await restart_agent(made, crash)
    status = await made.until("web", lambda s: s["containerStatuses"][0]["restartCount"] == 1)
    assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3


async def test_lost_events_are_made_up_for(made: Node) -> None:
    await made.create("web")
    await made.ready("web")
    container = made.runtime.find("web")
    made.runtime.silent = True
    made.runtime.finish(container.id, 1)
    made.runtime.silent = False
    made.runtime.lose_events()
    await made.until("web", lambda s: s["containerStatuses"][0]["restartCount"] == 1)


async def test_lost_sandbox_is_made_anew(made: Node) -> None:
    await made.create("web")
    first = await made.ready("web")
    made.runtime.lose_sandbox((await made.runtime.sandboxes())[0].id)
    status = await made.until("web", lambda s: s.get("podIP") not in (None, first["podIP"]))
    await made.ready("web")
    assert len(status["podIPs"]) == 1
    assert len(made.runtime.networks) == 1, "the lost one's address is given back"
    await made.said("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")


async def test_a_pod_that_ends_with_its_sandbox_lost_keeps_no_address(made: Node) -> None:
    await made.create("web", restartPolicy="Never")
    await made.ready("web")
    made.runtime.lose_sandbox((await made.runtime.sandboxes())[0].id)
    await made.until("web", lambda s: s["phase"] == "Failed")
    await eventually(lambda: made.runtime.networks == set())


async def test_failing_pull_backs_off_then_succeeds(made: Node) -> None:
    await made.create("web", {"image": "example.org/x:1"})
    status = await made.until("web", lambda s: waiting(s) == "ErrImagePull")
    assert status["phase"] == "Pending"
    await made.clock.advance(1)
    status = await made.until("web", lambda s: waiting(s) == "ImagePullBackOff")
    assert state(status)["waiting"]["message"].startswith(
        'Back-off pulling image "example.org/x:1": ErrImagePull: '
    )
    assert made.runtime.calls["pull_image"] == 1
    made.runtime.pullable["example.org/x:1"] = Image("sha256:" + "b" * 64, ("example.org/x:1",), 77)
    await made.clock.advance(10)
    await made.ready("web")
    await made.said("Failed", "Error: ImagePullBackOff")
    await made.said("BackOff", 'Back-off pulling image "example.org/x:1"')
    await made.said("Pulling", 'Pulling image "example.org/x:1"')


@pytest.mark.parametrize(
    ("container", "reason", "message"),
    [
        (
            {"image": "missing:1", "imagePullPolicy": "Never"},
            "ErrImageNeverPull",
            'Container image "missing:1" is not present with pull policy of Never',
        ),
        (
            {"image": "UPPER:1"},
            "InvalidImageName",
            (
                'Failed to apply default image tag "UPPER:1": couldn\'t parse image name "UPPER:1": '
                "invalid reference format"
            ),
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]},
            "CreateContainerConfigError",
            'configmap "c" not found',
        ),
        (
            {"securityContext": {"runAsNonRoot": True}},
            "CreateContainerConfigError",
            None,
        ),
    ],
)
async def test_reasons_for_waiting(made: Node, container: Object, reason: str, message: str | None) -> None:
    await made.create("web", container)
    status = await made.until("web", lambda s: waiting(s) == reason)
    if message is not None:
        assert state(status)["waiting"]["message"] == message
        await made.said("Failed", f"Error: {message if reason.startswith('Create') else reason}")


async def test_missing_config_map_is_waited_for(made: Node) -> None:
    source = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    await made.create("web", {"env": [source]})
    await made.until("web", lambda s: waiting(s) == "CreateContainerConfigError")
    await made.admin.raw("/version")
    body = {"metadata": {"name": "c", "namespace": "default"}, "data": {"k": "v"}}
    await made.rig.admin.transport.call(
        "POST",
        "/api/v1/namespaces/default/configmaps",
        None,
        {"apiVersion": "v1", "kind": "ConfigMap", **body},
    )
    await made.ready("web")
    spec = made.runtime.container_specs[made.runtime.find("web").id]
    assert ("A", "v") in spec.env


async def test_start_failure_becomes_crash_loop(made: Node) -> None:
    made.runtime.failures["start_container"] = [RuntimeFailure("no such file: xyz") for _ in range(2)]
    await made.create("web")
    await made.said("Failed", "Error: no such file: xyz")
    # The second attempt comes at once, and only after it the back-off has begun.
    await made.until("web", lambda s: waiting(s) == "CrashLoopBackOff")
    assert made.runtime.calls["start_container"] == 2
    await made.clock.advance(10)
    await made.ready("web")


async def test_failing_sandbox_is_tried_again(made: Node) -> None:
    made.runtime.failures["run_sandbox"] = [RuntimeFailure("cni says no")]
    await made.create("web")
    await made.said("FailedCreatePodSandBox", "Failed to create pod sandbox: cni says no")
    assert waiting(await made.until("web", lambda s: s.get("containerStatuses"))) == "ContainerCreating"
    assert made.runtime.calls["run_sandbox"] == 1
    await made.ready_in_time("web")


async def test_without_a_network_only_the_hosts_pods_start(made: Node) -> None:
    fine = made.runtime.current_status
    message = "Network plugin returns error: cni plugin not initialized"
    made.runtime.current_status = replace(fine, network_ready=False, message=message)
    made.kubelet.network_changed()
    await settle()
    await made.create("web")
    await made.create("host", hostNetwork=True)
    why = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
    await made.said("NetworkNotReady", f"network is not ready: {why} message:{message}")
    await made.ready("host")
    assert made.runtime.calls["run_sandbox"] == 1
    for _ in range(20):
        await made.clock.advance(30)
    made.runtime.current_status = fine
    made.kubelet.network_changed()
    await made.ready("web")  # at once, however long it has waited


async def test_liveness_failure_restarts(made: Node) -> None:
    await made.create("web", {"livenessProbe": http_probe("/live", failureThreshold=2)})
    await made.ready("web")
    made.prober.answers["web/live"] = ProbeResult(Outcome.FAILURE, "HTTP probe failed with statuscode: 500")
    await made.clock.advance(2)
    assert made.runtime.stopped == []
    await made.clock.advance(2)
    await made.until("web", lambda s: s["containerStatuses"][0]["restartCount"] == 1)
    await made.said("Killing", "Container web failed liveness probe, will be restarted")
    await made.said("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
    assert len(made.runtime.stopped) == 1


async def test_readiness_follows_its_probe(made: Node) -> None:
    made.prober.answers["web/ready"] = ProbeResult(Outcome.FAILURE, "no")
    await made.create("web", {"readinessProbe": http_probe("/ready", failureThreshold=1)})
    status = await made.until("web", lambda s: "running" in state(s))
    assert not is_ready(status)
    unready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert (unready["reason"], unready["message"]) == (
        "ContainersNotReady",
        "containers with unready status: [web]",
    )
    del made.prober.answers["web/ready"]
    await made.clock.advance(2)
    await made.ready("web")
    made.prober.answers["web/ready"] = ProbeResult(Outcome.FAILURE, "no")
    await made.clock.advance(2)
    await made.until("web", lambda s: not is_ready(s))


async def test_startup_probe_holds_the_others_back(made: Node) -> None:
    made.prober.answers["web/start"] = ProbeResult(Outcome.FAILURE, "not yet")
    probes = {
        "startupProbe": http_probe("/start", failureThreshold=30),
        "livenessProbe": http_probe("/live"),
        "readinessProbe": http_probe("/ready"),
    }
    await made.create("web", probes)
    status = await made.until("web", lambda s: "running" in state(s))
    assert status["containerStatuses"][0]["started"] is False
    await made.clock.advance(10)
    assert set(made.prober.tries) == {"web/start"}
    made.prober.answers.clear()
    await made.clock.advance(2)
    status = await made.ready("web")
    assert status["containerStatuses"][0]["started"] is True


async def test_init_containers_run_in_order(made: Node) -> None:
    started: list[str] = []

    def on_start(spec: Any) -> int | None:
        started.append(spec.name)
        return 0 if spec.name.startswith("init") else None

    made.runtime.on_start = on_start
    inits = [
        {"name": "init1", "image": "nginx:1.27"},
        {"name": "side", "image": "nginx:1.27", "restartPolicy": "Always"},
        {"name": "init2", "image": "nginx:1.27"},
    ]
    await made.create("web", initContainers=inits)
    status = await made.ready("web")
    assert started == ["init1", "side", "init2", "web"]
    assert [s["state"].get("terminated", {}).get("reason") for s in status["initContainerStatuses"]] == [
        "Completed",
        None,
        "Completed",
    ]


async def test_failed_init_container_fails_the_pod(made: Node) -> None:
    made.runtime.on_start = lambda _: 4
    await made.create("web", initContainers=[{"name": "init", "image": "nginx:1.27"}], restartPolicy="Never")
    status = await made.until("web", lambda s: s["phase"] == "Failed")
    assert state(status, kind="initContainerStatuses")["terminated"]["exitCode"] == 4
    assert made.runtime.calls["start_container"] == 1


async def test_sidecar_stops_last_and_does_not_keep_a_pod(made: Node) -> None:
    side = {"name": "side", "image": "nginx:1.27", "restartPolicy": "Always"}
    await made.create("job", initContainers=[side], restartPolicy="Never")
    await made.ready("job")
    web, sidecar = made.runtime.find("web"), made.runtime.find("side")
    made.runtime.finish(web.id, 0)
    await made.until("job", lambda s: s["phase"] == "Succeeded")
    assert [entry[0] for entry in made.runtime.stopped] == [sidecar.id]


async def test_pre_stop_runs_within_the_grace(made: Node) -> None:
    hook = {"preStop": {"exec": {"command": ["drain"]}}}
    await made.create("web", {"lifecycle": hook}, terminationGracePeriodSeconds=7)
    await made.ready("web")
    await made.admin.delete(PODS, "web", "default")
    await eventually(lambda: made.gone("web"))
    assert made.runtime.executed[0][1] == ("drain",)


async def test_pre_stop_that_hangs_is_given_up(made: Node) -> None:
    hook = {"preStop": {"exec": {"command": ["hang"]}}}
    await made.create("web", {"lifecycle": hook}, terminationGracePeriodSeconds=7)
    await made.ready("web")
    made.runtime.gates["exec_sync"] = asyncio.Event()
    await made.admin.delete(PODS, "web", "default")
    await eventually(lambda: bool(made.runtime.executed))
    await made.clock.advance(6)
    assert made.runtime.stopped == []
    await made.clock.advance(1)
    await eventually(lambda: made.gone("web"))
    assert made.runtime.stopped[0][1] == 2


async def test_shorter_grace_takes_over(made: Node) -> None:
    made.runtime.stop_takes_s["web"] = 1000
    await made.create("web", terminationGracePeriodSeconds=600)
    await made.ready("web")
    await made.admin.delete(PODS, "web", "default")
    await eventually(lambda: len(made.runtime.stopped) == 1)
    await made.admin.delete(PODS, "web", "default", grace_period_s=3)
    await eventually(lambda: len(made.runtime.stopped) == 2)
    assert [grace for _, grace in made.runtime.stopped] == [600, 3]
    await made.clock.advance(3)
    await eventually(lambda: made.gone("web"))


async def test_deleting_a_pod_that_pulls(made: Node) -> None:
    made.runtime.gates["pull_image"] = asyncio.Event()
    await made.create("web", {"image": "example.org/slow:1"})
    await eventually(lambda: made.runtime.calls["pull_image"] == 1)
    status = await made.until("web", lambda s: s.get("podIP"))
    assert waiting(status) == "ContainerCreating"
    await made.admin.delete(PODS, "web", "default")
    await eventually(lambda: made.gone("web"))
    made.runtime.gates["pull_image"].set()


async def test_post_start_failure_kills_the_container(made: Node) -> None:
    made.runtime.exec_results[("warm",)] = ExecResult(1, b"", b"cold")
    await made.create("web", {"lifecycle": {"postStart": {"exec": {"command": ["warm"]}}}})
    await made.said("FailedPostStartHook", "PostStartHook failed")
    await eventually(lambda: len(made.runtime.stopped) > 0)
    made.runtime.exec_results.clear()
    await made.clock.advance(10)
    await made.ready("web")


async def test_deadline_ends_the_pod(made: Node) -> None:
    await made.create("web", activeDeadlineSeconds=30)
    await made.ready("web")
    await made.clock.advance(31)
    status = await made.until("web", lambda s: s["phase"] == "Failed")
    assert status["reason"] == "DeadlineExceeded"
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


async def test_ephemeral_container_is_started(made: Node) -> None:
    await made.create("web")
    await made.ready("web")
    patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "nginx:1.27"}]}}
    await made.admin.patch(
        PODS,
        "web",
        "default",
        patch,
        content_type="application/strategic-merge-patch+json",
        subresource="ephemeralcontainers",
    )
    status = await made.until("web", lambda s: s.get("ephemeralContainerStatuses"))
    await made.until("web", lambda s: "running" in state(s, kind="ephemeralContainerStatuses"))
    assert is_ready(status)


async def test_ephemeral_container_shares_processes(made: Node) -> None:
    await made.create("web")
    await made.ready("web")
    debug = {"name": "debug", "image": "nginx:1.27", "targetContainerName": "web"}
    patch = {"spec": {"ephemeralContainers": [debug]}}
    kind = "application/strategic-merge-patch+json"
    await made.admin.patch(
        PODS, "web", "default", patch, content_type=kind, subresource="ephemeralcontainers"
    )
    await made.until("web", lambda s: "running" in state(s, kind="ephemeralContainerStatuses"))
    spec = made.runtime.container_specs[made.runtime.find("debug").id]
    assert spec.target_container_id == made.runtime.find("web").id


def test_a_container_to_look_into_must_be_there() -> None:
    debug = {"name": "debug", "image": "nginx:1.27", "targetContainerName": "web"}
    pod = make_pod({"name": "web", "image": "i:1"}, ephemeralContainers=[debug])
    with pytest.raises(ConfigFailure, match="unable to find target container web"):
        container_spec(pod, Start(debug, 0, "ephemeral"), IMAGE, [], [], NodeTerms(1024))


@pytest.mark.parametrize(("on_host", "hostname"), [(True, ""), (False, "web")])
async def test_nobody_names_the_host(made: Node, on_host: bool, hostname: str) -> None:
    await made.create("web", hostNetwork=on_host)
    await made.ready("web")
    (spec,) = made.runtime.sandbox_specs.values()
    assert spec.hostname == hostname


async def test_pod_without_room_is_rejected(made: Node) -> None:
    await made.create("big", {"resources": {"requests": {"cpu": "64"}}})
    status = await made.until("big", lambda s: s["phase"] == "Failed")
    assert status["reason"] == "OutOfcpu"
    assert status["message"] == (
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 64000, used: 0, capacity: 2000"
    )
    assert made.runtime.calls["run_sandbox"] == 0
    await made.admin.delete(PODS, "big", "default")
    await eventually(lambda: made.gone("big"))


async def test_annotations_reach_downward_files(made: Node) -> None:
    items = [{"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}}]
    mount = {"name": "d", "mountPath": "/d"}
    await made.create(
        "web", {"volumeMounts": [mount]}, volumes=[{"name": "d", "downwardAPI": {"items": items}}]
    )
    await made.ready("web")
    spec = made.runtime.container_specs[made.runtime.find("web").id]
    shown = next(m for m in spec.mounts if m.container_path == "/d")
    assert shown.read_only
    await made.admin.patch(PODS, "web", "default", {"metadata": {"annotations": {"a": "1"}}})
    await eventually(lambda: 'a="1"' in (Path(shown.host_path) / "notes").read_text())
    assert made.runtime.calls["start_container"] == 1


async def test_simple_start_is_cheap_and_then_quiet(made: Node) -> None:
    await made.clock.advance(1)
    made.runtime.calls.clear()
    await made.create("web")
    await made.ready("web")
    await settle()
    calls = dict(made.runtime.calls)
    assert calls["run_sandbox"] == calls["create_container"] == calls["start_container"] == 1
    assert calls["containers"] <= 6, "the runtime is asked only when something happened"
    settled = (await made.pod("web"))["metadata"]["resourceVersion"]
    await made.clock.advance(5)
    assert (await made.pod("web"))["metadata"]["resourceVersion"] == settled


async def test_container_ends_with_its_last_words(made: Node) -> None:
    await made.create("web", restartPolicy="Never")
    await made.ready("web")
    container = made.runtime.find("web")
    spec = made.runtime.container_specs[container.id]
    file = next(m.host_path for m in spec.mounts if m.container_path == "/dev/termination-log")
    Path(file).write_text("farewell")
    made.runtime.finish(container.id, 1)
    status = await made.until("web", lambda s: s["phase"] == "Failed")
    assert state(status)["terminated"]["message"] == "farewell"
