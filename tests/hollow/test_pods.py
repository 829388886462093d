"""What simulated pods do by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hollow.rig import ready, simulated
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.hollow.outcomes import Outcome
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object

INIT = {"name": "first", "image": "init"}
SIDECAR = {"name": "beside", "image": "proxy", "restartPolicy": "Always"}


async def test_a_pod_bound_to_a_simulated_node_is_running_and_ready() -> None:
    async with simulated() as s:
        await s.pod()
        status = await s.status()
        assert (status["phase"], ready(status)) == ("Running", "True")
        assert status["podIP"] == "100.96.0.1"
        assert status["podIPs"] == [{"ip": "100.96.0.1"}]
        assert status["hostIP"] == "198.18.0.1"
        (container,) = status["containerStatuses"]
        assert container["state"] == {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
        assert [c["type"] for c in status["conditions"]] == [
            "PodReadyToStartContainers",
            "Initialized",
            "Ready",
            "ContainersReady",
        ]


async def test_it_takes_its_time_to_start() -> None:
    async with simulated(outcomes=[Outcome(starts_after_s=5)]) as s:
        await s.pod()
        await s.advance(4.9)
        assert (await s.status())["phase"] == "Pending"
        await s.advance(0.2)
        assert (await s.status())["phase"] == "Running"


async def test_what_changes_meanwhile_does_not_make_it_wait_anew() -> None:
    async with simulated(outcomes=[Outcome(starts_after_s=5)]) as s:
        await s.pod()
        await s.advance(4)
        await s.client.patch(PODS, "web", "default", {"metadata": {"annotations": {"a": "b"}}})
        await s.advance(1.1)
        assert (await s.status())["phase"] == "Running"


async def test_a_pod_of_no_simulated_node_is_left_alone() -> None:
    async with simulated() as s:
        await s.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "real"}})
        await s.pod(nodeName="real")
        await s.pod("unbound", nodeName=None)
        await s.advance(60)
        assert "podIP" not in await s.status()
        assert "podIP" not in await s.status("unbound")
        assert "conditions" not in (await s.node("real")).get("status", {})


async def test_addresses_are_of_the_nodes_range_and_each_pods_own() -> None:
    async with simulated() as s:
        await s.client.patch(
            NODES, "hollow-0", "", {"spec": {"podCIDR": "10.1.2.0/24", "podCIDRs": ["10.1.2.0/24"]}}
        )
        await s.settle()
        for name in ("a", "b", "c"):
            await s.pod(name)
        found = {(await s.status(name))["podIP"] for name in ("a", "b", "c")}
        assert found == {"10.1.2.1", "10.1.2.2", "10.1.2.3"}
        await s.pod("host", hostNetwork=True)
        assert (await s.status("host"))["podIP"] == "198.18.0.1"


async def test_a_range_that_is_used_up_is_said_and_goes_on_when_one_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with simulated() as s:
        await s.client.patch(
            NODES, "hollow-0", "", {"spec": {"podCIDR": "10.1.2.0/30", "podCIDRs": ["10.1.2.0/30"]}}
        )
        await s.settle()
        for name in ("a", "b", "c"):
            await s.pod(name)
        assert (await s.status("c"))["phase"] == "Pending"
        assert (
            "Pod default/c: stage pod-start failed, again in 1 s: no address is left in 10.1.2.0/30"
            in caplog.text
        )
        await s.client.delete(PODS, "a", "default")
        await s.advance(60)
        assert (await s.status("c"))["podIP"] == "10.1.2.1"


@pytest.mark.parametrize(
    "spec",
    [
        {"restartPolicy": "Never"},
        {"restartPolicy": "OnFailure"},
        {
            "metadata": {
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
                ]
            }
        },
    ],
)
async def test_pods_that_come_to_an_end_succeed(spec: dict[str, Any]) -> None:
    async with simulated(outcomes=[Outcome(completes_after_s=3)]) as s:
        await s.pod(**spec)
        await s.advance(2)
        assert (await s.status())["phase"] == "Running"
        await s.advance(1)
        status = await s.status()
        assert status["phase"] == "Succeeded"
        ended = status["containerStatuses"][0]["state"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
        assert (ended["startedAt"], ended["finishedAt"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:03Z")
        condition = find_condition(status["conditions"], "Ready")
        assert condition is not None
        assert (condition["status"], condition["reason"]) == ("False", "PodCompleted")


async def test_init_containers_run_one_by_one_when_they_take_time() -> None:
    second = {"name": "second", "image": "init"}
    async with simulated(outcomes=[Outcome(starts_after_s=1, init_takes_s=10)]) as s:
        await s.pod(initContainers=[INIT, SIDECAR, second])

        def states(status: Any) -> list[str]:
            return [next(iter(c["state"])) for c in status["initContainerStatuses"]]

        await s.advance(1)
        status = await s.status()
        assert (status["phase"], states(status)) == ("Pending", ["running", "waiting", "waiting"])
        initialized = find_condition(status["conditions"], "Initialized")
        assert initialized is not None
        assert initialized["message"] == "containers with incomplete status: [first beside second]"
        await s.advance(10)
        assert states(await s.status()) == ["terminated", "running", "running"]
        await s.advance(9)
        assert (await s.status())["phase"] == "Pending"
        await s.advance(1)
        status = await s.status()
        assert (status["phase"], ready(status)) == ("Running", "True")
        assert states(status) == ["terminated", "running", "terminated"]


async def test_init_containers_that_take_no_time_are_done_with_the_first_write() -> None:
    async with simulated() as s:
        await s.pod(initContainers=[INIT, SIDECAR])
        status = await s.status()
        assert (status["phase"], ready(status)) == ("Running", "True")
        first, beside = status["initContainerStatuses"]
        assert first["state"]["terminated"]["exitCode"] == 0
        assert "running" in beside["state"]
        assert beside["started"] is True


async def test_readiness_gates_are_waited_for() -> None:
    async with simulated() as s:
        await s.pod(readinessGates=[{"conditionType": "example.com/gate"}])
        condition = find_condition((await s.status())["conditions"], "Ready")
        assert condition is not None
        assert condition["reason"] == "ReadinessGatesNotReady"
        assert 'readiness gate "example.com/gate" does not exist' in condition["message"]
        gate = {"type": "example.com/gate", "status": "True"}
        await s.client.patch(
            PODS,
            "web",
            "default",
            {"status": {"conditions": [gate]}},
            content_type="application/strategic-merge-patch+json",
            subresource="status",
        )
        await s.settle()
        assert ready(await s.status()) == "True"


async def test_a_deleted_pod_goes() -> None:
    async with simulated() as s:
        await s.pod()
        await s.client.delete(PODS, "web", "default")
        await s.settle()
        assert await s.pod_names() == []


async def test_a_deleted_pod_takes_the_time_it_needs_but_not_more_than_its_grace() -> None:
    async with simulated(outcomes=[Outcome(stops_after_s=20)]) as s:
        await s.pod("long")
        await s.pod("short", terminationGracePeriodSeconds=5)
        await s.client.delete(PODS, "long", "default")
        await s.client.delete(PODS, "short", "default")
        await s.advance(4.5)
        assert await s.pod_names() == ["long", "short"]
        await s.advance(0.5)
        assert await s.pod_names() == ["long"]
        await s.advance(14.5)
        assert await s.pod_names() == ["long"]
        await s.advance(0.5)
        assert await s.pod_names() == []


async def test_whoever_holds_a_deleted_pod_by_a_finalizer_sees_it_end() -> None:
    async with simulated() as s:
        await s.pod(metadata={"finalizers": ["example.com/held"]})
        await s.client.delete(PODS, "web", "default")
        await s.settle()
        pod = await s.get()
        assert pod["status"]["phase"] == "Failed"  # a job whose pod is deleted has not succeeded
        assert [c["state"]["terminated"]["exitCode"] for c in pod["status"]["containerStatuses"]] == [143]
        before = pod["metadata"]["resourceVersion"]
        await s.advance(120)
        assert (await s.get())["metadata"]["resourceVersion"] == before, "nothing is written again and again"
        await s.client.patch(PODS, "web", "default", {"metadata": {"finalizers": None}})
        await s.settle()
        assert await s.pod_names() == []


async def test_a_pod_made_anew_under_its_name_begins_anew() -> None:
    async with simulated(outcomes=[Outcome(starts_after_s=5)]) as s:
        await s.pod()
        await s.advance(4)
        await s.client.delete(PODS, "web", "default", grace_period_s=0)
        await s.pod()
        await s.advance(4)
        assert (await s.status())["phase"] == "Pending"
        await s.advance(1)
        assert (await s.status())["phase"] == "Running"


async def test_what_the_api_refuses_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with simulated() as s:
        role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:hollow-nodes"
        whole: Object = await s.client.raw(role)
        await s.client.transport.call("PUT", role, None, {**whole, "rules": whole["rules"][:3]})
        await s.pod()
        assert (await s.status())["phase"] == "Pending"
        assert "Pod default/web: stage pod-start failed, again in 1 s: pods" in caplog.text
        now = await s.client.raw(role)
        now["rules"] = whole["rules"]
        await s.client.transport.call("PUT", role, None, now)
        await s.advance(1)
        assert (await s.status())["phase"] == "Running"


async def test_a_resize_is_acknowledged() -> None:
    small, large = {"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}}
    async with simulated() as s:
        await s.pod(
            containers=[{"name": "c", "image": "i", "resources": small}],
            initContainers=[{**SIDECAR, "resources": small}],
        )
        before = await s.status()
        (container,) = before["containerStatuses"]
        assert (container["resources"], container["allocatedResources"]) == (small, small["requests"])
        patch = {
            "spec": {
                "containers": [{"name": "c", "resources": large}],
                "initContainers": [{"name": SIDECAR["name"], "resources": large}],
            }
        }
        await s.client.patch(
            PODS, "web", "default", patch, subresource="resize",
            content_type="application/strategic-merge-patch+json",
        )  # fmt: skip
        await s.advance(0.1)
        after = await s.status()
        for field in ("containerStatuses", "initContainerStatuses"):
            (container,) = after[field]
            assert (container["resources"], container["allocatedResources"]) == (large, large["requests"])
            assert container["state"] == before[field][0]["state"]
        assert after["observedGeneration"] == 2
