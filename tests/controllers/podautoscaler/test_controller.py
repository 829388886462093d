"""Autoscalers over a real API server; the metrics APIs are an extension server's, through APIServices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.apiserver.backing import backing, ca_bundle, publish
from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import definition
from tests.apiserver.rig import Rig, account, pod, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS
from wherry.api.core.events import EVENTS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.controllers.controllers import Controllers
from wherry.controllers.podautoscaler.controller import HorizontalPodAutoscalers
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
PERIOD_S = 15
APIS = (
    ("metrics.k8s.io", "v1beta1"),
    ("custom.metrics.k8s.io", "v1beta2"),
    ("external.metrics.k8s.io", "v1beta1"),
)


class Served:
    """The extension server of all three APIs: what each path answers."""

    def __init__(self, clock: FakeClock) -> None:
        self.answers: dict[str, list[Object]] = {}
        self.asked: list[str] = []
        self._clock = clock

    async def answer(self, request: web.Request) -> web.Response:
        parts = request.path.strip("/").split("/")
        if len(parts) == 3:  # discovery
            group_version = "/".join(parts[1:])
            return web.json_response(
                {
                    "kind": "APIResourceList",
                    "apiVersion": "v1",
                    "groupVersion": group_version,
                    "resources": [],
                }
            )
        self.asked.append(request.path_qs)
        path = request.path.partition("/namespaces/")[2] or "/".join(parts[3:])
        if path not in self.answers:
            return web.Response(status=404, text="404 page not found")
        return web.json_response({"kind": "List", "metadata": {}, "items": self.answers[path]})

    def use(self, cpu: str, *names: str, container: str = "web") -> None:
        """Each of these pods uses so much."""
        taken = format_time(self._clock.now())
        self.answers["default/pods"] = [
            {
                "metadata": {"name": name, "namespace": "default"},
                "timestamp": taken,
                "window": "30s",
                "containers": [{"name": container, "usage": {"cpu": cpu, "memory": "100Mi"}}],
            }
            for name in names
        ]


class Bench:
    """What a test holds."""

    def __init__(self, rig: Rig, controllers: Controllers, clock: FakeClock, served: Served) -> None:
        self.rig = rig
        self.controllers = controllers
        self.clock = clock
        self.served = served

    async def until(self, is_so: Callable[[Object], bool], name: str = "web") -> Object:
        """The autoscaler once it is so; time stands still meanwhile."""
        for _ in range(2000):
            found = await self.rig.admin.get(HORIZONTAL_POD_AUTOSCALERS, name, "default")
            if is_so(found):
                return found
            await settle()
        raise AssertionError(found.get("status"))

    async def looked(self, name: str = "web") -> Object:
        """The autoscaler after its next look."""
        hpa = await self.rig.admin.get(HORIZONTAL_POD_AUTOSCALERS, name, "default")
        asked = len(self.served.asked)
        await self.clock.advance(PERIOD_S)
        controller = self.controllers.controllers[0]
        while controller.queue._working or len(controller.queue):
            await settle()
        assert len(self.served.asked) >= asked
        return await self.rig.admin.get(HORIZONTAL_POD_AUTOSCALERS, name, hpa["metadata"]["namespace"])

    async def replicas(self) -> int:
        return int((await self.rig.admin.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"])

    async def events(self) -> list[str]:
        controller = self.controllers.controllers[0]
        while controller.queue._working or len(controller.queue):
            await settle()
        await settle(500)
        listed = (await self.rig.admin.list(EVENTS, "default")).items
        return [f"{event['reason']}: {event['message']}" for event in listed]

    async def status_of_target(self, replicas: int) -> None:
        """The Deployment's status, as its controller would write it."""
        found = await self.rig.admin.get(DEPLOYMENTS, "web", "default")
        await self.rig.admin.update_status(DEPLOYMENTS, {**found, "status": {"replicas": replicas}})


def deployment(replicas: int, name: str = "web") -> Object:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "nginx"}]},
            },
        },
    }


def hpa(*metrics: Object, name: str = "web", least: int = 1, most: int = 10, **spec: Any) -> Object:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "scaleTargetRef": reference,
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": list(metrics),
            **spec,
        },
    }


def conditions(found: Object) -> dict[str, tuple[str, str, str]]:
    return {
        one["type"]: (one["status"], one["reason"], one["message"])
        for one in found["status"].get("conditions") or ()
    }


@asynccontextmanager
async def bench(replicas: int, *, apis: bool = True) -> AsyncIterator[Bench]:
    clock = FakeClock()
    served = Served(clock)
    kinds = (HorizontalPodAutoscalers,)
    async with running(clock, kinds=kinds, starts_clients=False) as rig, backing(served.answer) as port:
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        if apis:
            await publish(rig, port)
            for group, version in APIS:
                await _register(rig, group, version)
        await rig.admin.create(DEPLOYMENTS, deployment(replicas))
        for number in range(replicas):
            await _running_pod(rig, clock, f"web-{number}")
        await rig.plane.start_clients()
        made = Bench(rig, rig.plane.controllers, clock, served)
        await made.status_of_target(replicas)
        yield made


async def _register(rig: Rig, group: str, version: str) -> None:
    name = f"{version}.{group}"
    spec = {
        "group": group,
        "version": version,
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
        "caBundle": ca_bundle(),
        "service": {"namespace": "default", "name": "backing"},
    }
    body = {"metadata": {"name": name}, "spec": spec}
    status, answer, _ = await rig.http("POST", SERVICES, body)
    assert status == 201, answer
    while True:
        _, found, _ = await rig.http("GET", f"{SERVICES}/{name}")
        if any(one["status"] == "True" for one in (found.get("status") or {}).get("conditions") or ()):
            return
        await settle()


async def _running_pod(rig: Rig, clock: FakeClock, name: str) -> None:
    made = pod(name)
    made["metadata"]["labels"] = {"app": "web"}
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    since = format_time(clock.now())
    status = {
        "phase": "Running",
        "startTime": since,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
    }
    await rig.admin.create(PODS, made)
    await rig.admin.patch(PODS, name, "default", {"status": status}, subresource="status")


UTILIZATION = "cpu resource utilization (percentage of request)"
RESOURCE: Object = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}


MEMORY: Object = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "50Mi"}},
}


async def test_grows_and_shrinks_with_the_use_of_processors() -> None:
    async with bench(2) as made:
        made.served.use("100m", "web-0", "web-1")
        await made.clock.advance(600)  # the pods are no longer young
        made.served.use("100m", "web-0", "web-1")
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE))
        found = await made.until(lambda obj: "lastScaleTime" in (obj.get("status") or {}))
        assert await made.replicas() == 4, "100 % of what was requested, where 50 % was wanted"
        current = {"averageUtilization": 100, "averageValue": "100m"}
        assert found["status"]["currentMetrics"] == [
            {"type": "Resource", "resource": {"name": "cpu", "current": current}}
        ]
        assert (found["status"]["currentReplicas"], found["status"]["desiredReplicas"]) == (2, 4)
        assert conditions(found) == {
            "AbleToScale": (
                "True",
                "SucceededRescale",
                "the HPA controller was able to update the target scale to 4",
            ),
            "ScalingActive": (
                "True",
                "ValidMetricFound",
                f"the HPA was able to successfully calculate a replica count from {UTILIZATION}",
            ),
            "ScalingLimited": (
                "False",
                "DesiredWithinRange",
                "the desired count is within the acceptable range",
            ),
            "ScaledToZero": NOT_AT_ZERO,
        }
        why = f"{UTILIZATION} above target"
        assert await made.events() == [f"SuccessfulRescale: New size: 4; reason: {why}"]
        for name in ("web-2", "web-3"):
            await _running_pod(made.rig, made.clock, name)
        await made.status_of_target(4)
        made.served.use("10m", *(f"web-{number}" for number in range(4)))
        found = await made.looked()
        assert conditions(found)["AbleToScale"][1] == "ScaleDownStabilized"
        assert await made.replicas() == 4
        for _ in range(300 // PERIOD_S + 1):
            made.served.use("10m", *(f"web-{number}" for number in range(4)))
            await made.looked()
        assert await made.replicas() == 1
        assert "SuccessfulRescale: New size: 1; reason: All metrics below target" in await made.events()


@pytest.mark.parametrize(
    ("metric", "path", "items", "replicas", "status"),
    [
        (
            MEMORY,
            "",
            [],
            4,
            {"resource": {"name": "memory", "current": {"averageValue": "104857600"}}},
        ),
        (
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "web",
                    "target": {"type": "Utilization", "averageUtilization": 50},
                },
            },
            "",
            [],
            4,
            {
                "containerResource": {
                    "name": "cpu",
                    "container": "web",
                    "current": {"averageUtilization": 100, "averageValue": "100m"},
                }
            },
        ),
        (
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "requests"},
                    "target": {"type": "AverageValue", "averageValue": "10"},
                },
            },
            "default/pods/*/requests",
            [
                {"describedObject": {"kind": "Pod", "name": f"web-{number}"}, "value": "17500m"}
                for number in range(2)
            ],
            4,
            {"pods": {"metric": {"name": "requests"}, "current": {"averageValue": "17500m"}}},
        ),
        (
            {
                "type": "Object",
                "object": {
                    "describedObject": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                    "metric": {"name": "hits"},
                    "target": {"type": "Value", "value": "2k"},
                },
            },
            "default/deployments.apps/web/hits",
            [{"value": "3k"}],
            3,
            {
                "object": {
                    "describedObject": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                    "metric": {"name": "hits"},
                    "current": {"value": "3k"},
                }
            },
        ),
        (
            {
                "type": "External",
                "external": {
                    "metric": {"name": "queue", "selector": {"matchLabels": {"q": "a"}}},
                    "target": {"type": "AverageValue", "averageValue": "50"},
                },
            },
            "default/queue",
            [{"metricName": "queue", "value": "50"}, {"metricName": "queue", "value": "100"}],
            3,
            {
                "external": {
                    "metric": {"name": "queue", "selector": {"matchLabels": {"q": "a"}}},
                    "current": {"averageValue": "75"},
                }
            },
        ),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)  # fmt: skip
async def test_each_kind_of_metric(
    metric: Object, path: str, items: list[Object], replicas: int, status: Object
) -> None:
    async with bench(2) as made:
        await made.clock.advance(600)
        made.served.use("100m", "web-0", "web-1")
        if path:
            made.served.answers[path] = items
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(metric))
        found = await made.until(lambda obj: "lastScaleTime" in (obj.get("status") or {}))
        assert await made.replicas() == replicas
        assert found["status"]["currentMetrics"] == [{"type": metric["type"], **status}]


async def test_selectors_are_passed_on() -> None:
    metric = {
        "type": "Pods",
        "pods": {
            "metric": {"name": "requests", "selector": {"matchLabels": {"verb": "GET"}}},
            "target": {"type": "AverageValue", "averageValue": "10"},
        },
    }
    async with bench(1) as made:
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(metric))
        await made.until(lambda obj: bool((obj.get("status") or {}).get("conditions")))
        path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/requests"
        assert f"{path}?labelSelector=app%3Dweb&metricLabelSelector=verb%3DGET" in [
            asked.replace("%2A", "*") for asked in made.served.asked
        ]


async def test_no_metrics_api() -> None:
    async with bench(2, apis=False) as made:
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE))
        found = await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}))
        text = (
            "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: "
            "the server could not find the requested resource (get pods.metrics.k8s.io)"
        )
        assert conditions(found)["ScalingActive"] == (
            "False",
            "FailedGetResourceMetric",
            f"the HPA was unable to compute the replica count: {text}",
        )
        several = "invalid metrics (1 invalid out of 1), first error is: failed to get cpu utilization"
        assert sorted(await made.events()) == [
            f"FailedComputeMetricsReplicas: {several}: {text}",
            f"FailedGetResourceMetric: {text}",
        ]
        assert found["status"]["currentReplicas"] == 2
        assert await made.replicas() == 2


async def test_a_metric_that_is_lost_lets_nothing_shrink() -> None:
    lost = {
        "type": "Pods",
        "pods": {"metric": {"name": "lost"}, "target": {"type": "AverageValue", "averageValue": "1"}},
    }
    async with bench(4) as made:
        await made.clock.advance(600)
        names = [f"web-{number}" for number in range(4)]
        made.served.use("10m", *names)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE, lost))
        found = await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}))
        assert conditions(found)["ScalingActive"][:2] == ("False", "FailedGetPodsMetric")
        made.served.use("100m", *names)
        found = await made.looked()
        assert conditions(found)["ScalingActive"][:2] == ("True", "ValidMetricFound")
        assert await made.replicas() == 8


@pytest.mark.parametrize(
    ("replicas", "wanted", "size", "reason"),
    [
        (4, {"most": 3}, 3, "Current number of replicas above Spec.MaxReplicas"),
        (1, {"least": 2}, 2, "Current number of replicas below Spec.MinReplicas"),
    ],
)
async def test_bounds_need_no_metric(replicas: int, wanted: Any, size: int, reason: str) -> None:
    async with bench(replicas, apis=False) as made:
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE, **wanted))
        await made.until(lambda obj: "lastScaleTime" in (obj.get("status") or {}))
        assert await made.replicas() == size
        assert await made.events() == [f"SuccessfulRescale: New size: {size}; reason: {reason}"]


QUEUE = {
    "type": "External",
    "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "10"}},
}
PROMPT: Object = {"scaleDown": {"stabilizationWindowSeconds": 0}}
DISABLED = ("False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
AT_ZERO = ("True", "ScaledToZero", "the HPA controller scaled the workload to zero")
NOT_AT_ZERO = ("False", "NotScaledToZero", "the HPA controller did not scale the workload to zero")


def queue(made: Bench, length: int) -> None:
    made.served.answers["default/queue"] = [{"metricName": "queue", "value": str(length)}]


@pytest.mark.parametrize("least", [0, 1])
async def test_a_target_somebody_set_to_none_is_left_alone(least: int) -> None:
    async with bench(0) as made:
        queue(made, 25)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(QUEUE, least=least))
        found = await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}))
        assert conditions(found)["ScalingActive"] == DISABLED
        assert "ScaledToZero" not in conditions(await made.looked())
        assert await made.replicas() == 0


@asynccontextmanager
async def asleep() -> AsyncIterator[Bench]:
    """A target its autoscaler has left no replica."""
    async with bench(1) as made:
        queue(made, 0)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(QUEUE, least=0, behavior=PROMPT))
        found = await made.until(lambda obj: "lastScaleTime" in (obj.get("status") or {}))
        assert await made.replicas() == 0
        assert conditions(found)["ScaledToZero"] == AT_ZERO
        await made.status_of_target(0)
        yield made


async def test_a_target_the_autoscaler_itself_set_to_none_is_woken() -> None:
    async with asleep() as made:
        found = await made.looked()
        assert (conditions(found)["ScaledToZero"], await made.replicas()) == (AT_ZERO, 0)
        queue(made, 25)
        found = await made.looked()
        assert (conditions(found)["ScaledToZero"], await made.replicas()) == (NOT_AT_ZERO, 3)


async def test_one_that_scaled_before_there_was_a_condition_wakes_its_target() -> None:
    async with asleep() as made:
        found = await made.rig.admin.get(HORIZONTAL_POD_AUTOSCALERS, "web", "default")
        kept = [one for one in found["status"]["conditions"] if one["type"] != "ScaledToZero"]
        former = {**found, "status": {**found["status"], "conditions": kept}}
        await made.rig.admin.update_status(HORIZONTAL_POD_AUTOSCALERS, former)
        queue(made, 25)
        await made.looked()
        assert await made.replicas() == 3


async def test_who_put_a_target_to_sleep_is_known_though_it_died_in_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with bench(1) as made:
        queue(made, 0)
        client = made.controllers.controllers[0].client
        update = client.update
        done: list[Object] = []

        async def die(resource: Any, obj: Object, subresource: str = "") -> Object:
            if done:
                raise asyncio.CancelledError  # it does nothing more
            updated = await update(resource, obj, subresource)
            if subresource == "scale":
                done.append(updated)
                raise asyncio.CancelledError
            return updated

        monkeypatch.setattr(client, "update", die)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(QUEUE, least=0, behavior=PROMPT))
        while not done:
            await settle()
        found = await made.rig.admin.get(HORIZONTAL_POD_AUTOSCALERS, "web", "default")
        assert (conditions(found)["ScaledToZero"], await made.replicas()) == (AT_ZERO, 0)


async def test_a_target_asleep_is_woken_when_some_replicas_are_wanted_after_all() -> None:
    async with asleep() as made:
        await made.rig.admin.patch(HORIZONTAL_POD_AUTOSCALERS, "web", "default", {"spec": {"minReplicas": 2}})
        found = await made.until(lambda obj: conditions(obj)["ScaledToZero"] == NOT_AT_ZERO)
        assert await made.replicas() == 2
        assert found["status"]["desiredReplicas"] == 2
        said = "SuccessfulRescale: New size: 2; reason: Current number of replicas below Spec.MinReplicas"
        assert said in await made.events()


async def test_a_target_somebody_woke_and_put_to_sleep_is_not_woken() -> None:
    async with asleep() as made:
        await made.rig.admin.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 1}})
        queue(made, 10)
        found = await made.looked()
        assert conditions(found)["ScaledToZero"] == NOT_AT_ZERO
        await made.rig.admin.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 0}})
        queue(made, 25)
        found = await made.looked()
        assert conditions(found)["ScalingActive"] == DISABLED
        assert await made.replicas() == 0


async def test_what_cannot_be_found_is_told() -> None:
    async with bench(1, apis=False) as made:
        gone = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}
        odd = {"apiVersion": "a.b/v1", "kind": "Odd", "name": "x"}
        for name, reference, text in (
            ("gone", gone, 'deployments.apps "gone" not found'),
            ("odd", odd, 'no matches for kind "Odd" in group "a.b"'),
        ):
            await made.rig.admin.create(
                HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE, name=name, scaleTargetRef=reference)
            )
            found = await made.until(lambda obj: "AbleToScale" in conditions({"status": {}, **obj}), name)
            message = f"the HPA controller was unable to get the target's current scale: {text}"
            assert conditions(found)["AbleToScale"] == ("False", "FailedGetScale", message)
            assert f"FailedGetScale: {text}" in await made.events()


async def test_two_autoscalers_of_the_same_pods_do_nothing() -> None:
    async with bench(2) as made:
        await made.clock.advance(600)
        made.served.use("50m", "web-0", "web-1")
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE))
        await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}))
        await made.rig.admin.create(DEPLOYMENTS, deployment(2, "other"))
        found = await made.rig.admin.get(DEPLOYMENTS, "other", "default")
        await made.rig.admin.update_status(DEPLOYMENTS, {**found, "status": {"replicas": 2}})
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}
        other = hpa(RESOURCE, name="other", scaleTargetRef=reference)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, other)
        found = await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}), "other")
        text = "pods by selector app=web are controlled by multiple HPAs: [default/other default/web]"
        assert conditions(found)["ScalingActive"] == ("False", "AmbiguousSelector", text)
        await made.rig.admin.delete(HORIZONTAL_POD_AUTOSCALERS, "other", "default")
        cache = made.controllers.cache
        while cache.get(HORIZONTAL_POD_AUTOSCALERS, "default/other") is not None:
            await settle()
        found = await made.looked()
        assert conditions(found)["ScalingActive"][1] == "ValidMetricFound"


async def test_a_custom_kind_with_a_scale() -> None:
    async with bench(1) as made:
        made.served.use("100m", "web-0")
        await made.clock.advance(600)
        made.served.use("100m", "web-0")
        given = definition()
        given["spec"]["versions"][0]["subresources"] = {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.labelSelector",
            },
        }
        await define(made.rig, given)
        path = "/apis/stable.example.com/v1/namespaces/default/crontabs"
        body = {
            "apiVersion": "stable.example.com/v1",
            "kind": "CronTab",
            "metadata": {"name": "c"},
            "spec": {"cronSpec": "* * * * *", "replicas": 1},
        }
        status, answer, _ = await made.rig.http("POST", path, body)
        assert status == 201, answer
        answer["status"] = {"replicas": 1, "labelSelector": "app=web"}
        status, answer, _ = await made.rig.http("PUT", f"{path}/c/status", answer)
        assert status == 200, answer
        reference = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "name": "c"}
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE, scaleTargetRef=reference))
        await made.until(lambda obj: "lastScaleTime" in (obj.get("status") or {}))
        _, answer, _ = await made.rig.http("GET", f"{path}/c")
        assert answer["spec"]["replicas"] == 2


async def test_its_own_writes_are_no_reason_to_look_again() -> None:
    async with bench(2) as made:
        await made.clock.advance(600)
        made.served.use("50m", "web-0", "web-1")
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE))
        await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}))
        await made.events()
        asked = len(made.served.asked)
        await made.rig.admin.patch(
            HORIZONTAL_POD_AUTOSCALERS, "web", "default", {"metadata": {"labels": {"a": "b"}}}
        )
        await made.clock.advance(PERIOD_S - 1)
        await made.events()
        assert len(made.served.asked) == asked
        await made.looked()
        assert len(made.served.asked) == asked + 1


async def test_a_scale_that_is_refused_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(4, apis=False) as made:
        client = made.controllers.controllers[0].client
        update = client.update
        refused: list[Object] = []

        async def refuse(resource: Any, obj: Object, subresource: str = "") -> Object:
            if subresource == "scale" and not refused:
                refused.append(obj)
                raise ApiError(403, "Forbidden", "not today")
            return await update(resource, obj, subresource)

        monkeypatch.setattr(client, "update", refuse)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE, most=3))
        found = await made.until(lambda obj: "AbleToScale" in conditions({"status": {}, **obj}))
        message = "the HPA controller was unable to update the target scale: not today"
        assert conditions(found)["AbleToScale"] == ("False", "FailedUpdateScale", message)
        why = "Current number of replicas above Spec.MaxReplicas"
        assert await made.events() == [f"FailedRescale: New size: 3; reason: {why}; error: not today"]
        await made.looked()
        assert await made.replicas() == 3
