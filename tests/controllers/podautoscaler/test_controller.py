"""Autoscalers measure, decide and scale."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import definition
from tests.controllers.podautoscaler.bench import (
    MEMORY,
    NOT_AT_ZERO,
    PERIOD_S,
    RESOURCE,
    UTILIZATION,
    bench,
    conditions,
    deployment,
    hpa,
    running_pod,
)
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS
from wherry.kit.clock import settle
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object


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
            await running_pod(made.rig, made.clock, name)
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"timestamp": 5},
            "json: cannot unmarshal number into Go struct field .timestamp of type string",
        ),
        ({"timestamp": "x"}, 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'),
        ({"window": [1]}, "json: cannot unmarshal array into Go struct field .window of type string"),
        ({"window": "x"}, 'time: invalid duration "x"'),
        ({"containers": "x"}, "json: cannot unmarshal string into Go struct field .containers"),
        ({"containers": [1]}, "json: cannot unmarshal number into Go struct field .containers"),
        (
            {"containers": [{"name": "web", "usage": 3}]},
            "json: cannot unmarshal number into Go struct field .usage",
        ),
        (
            {"containers": [{"name": "web", "usage": {"cpu": [1]}}]},
            "json: cannot unmarshal array into Go struct field .usage.cpu of type resource.Quantity",
        ),
        (
            {"containers": [{"name": "web", "usage": {"cpu": "x"}}]},
            "quantities must match the regular expression",
        ),
        ({"metadata": "x"}, "json: cannot unmarshal string into Go struct field .metadata"),
    ],
)
async def test_what_cannot_be_read_is_told_as_go_tells_it(changes: Object, said: str) -> None:
    async with bench(1) as made:
        made.served.use("100m", "web-0")
        made.served.answers["default/pods"][0].update(changes)
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE))
        found = await made.until(lambda obj: "ScalingActive" in conditions({"status": {}, **obj}))
        status, reason, message = conditions(found)["ScalingActive"]
        assert (status, reason) == ("False", "FailedGetResourceMetric")
        assert f"unable to fetch metrics from resource metrics API: {said}" in message


async def test_a_use_beyond_all_measure_fits_into_the_status() -> None:
    async with bench(1) as made:
        made.served.use("9E", "web-0")
        await made.clock.advance(600)  # the pod is no longer young
        made.served.use("9E", "web-0")
        await made.rig.admin.create(HORIZONTAL_POD_AUTOSCALERS, hpa(RESOURCE))
        found = await made.until(lambda obj: "currentMetrics" in (obj.get("status") or {}))
        (metric,) = found["status"]["currentMetrics"]
        assert metric["resource"]["current"]["averageUtilization"] == 2**31 - 1
