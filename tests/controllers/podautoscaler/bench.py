"""One autoscaler over a real API server; the metrics APIs are an extension server's, through APIServices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.apiserver.backing import backing, ca_bundle, publish
from tests.apiserver.rig import Rig, account, pod, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS
from wherry.api.core.events import EVENTS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.controllers.controllers import Controllers
from wherry.controllers.podautoscaler.controller import HorizontalPodAutoscalers
from wherry.kit.clock import FakeClock, settle
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
            await running_pod(rig, clock, f"web-{number}")
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


async def running_pod(rig: Rig, clock: FakeClock, name: str) -> None:
    """Have one more pod of the target, which runs."""
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


NOT_AT_ZERO = ("False", "NotScaledToZero", "the HPA controller did not scale the workload to zero")
UTILIZATION = "cpu resource utilization (percentage of request)"
RESOURCE: Object = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}


MEMORY: Object = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "50Mi"}},
}
