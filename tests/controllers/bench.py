"""Controllers beside a real API server, in simulated time: what component tests of controllers run on.

The server is the assembly's, on a copy of a store in which one was started before; only the controllers a
test names run, each as its own account with no more rights than it has in a cluster. A module that imports
`running` has its tests run in loops of simulated time (`tests/controllers/conftest.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.apiserver import rig
from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.core.events import EVENTS
from wherry.api.core.pods import PODS
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.resource import Resource
from wherry.apiserver.call import Call, Result
from wherry.apiserver.request import METHOD_VERBS
from wherry.apiserver.user import LOOPBACK
from wherry.cluster.assembly import CONTROLLER_MANAGER
from wherry.controllers.base import Controller
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.config import ControllerConfig
from wherry.controllers.controllers import Controllers
from wherry.kit.clock import Clock
from wherry.kit.simulated_loop import LoopClock, SimulatedLoop
from wherry.objects.meta import Object, is_deleting, name_of, parse_time
from wherry.testing.faults.plan import FaultPlan, Surroundings
from wherry.testing.faults.sinks import OpenWatches

READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
"""The condition of a pod that has long been ready."""
PATIENCE_S = 3600.0
"""How far time goes on by itself while a test waits for an answer that needs some."""
METHODS = {verb: method for method, verb in METHOD_VERBS.items() if method != "HEAD"} | {
    "list": "GET",
    "deletecollection": "DELETE",
}
NOT_ADMITTED = ("ServiceAccount", "TaintNodesByCondition")
"""Admission plugins that are off, as in upstream's integration tests of controllers: pods need no account and
nodes are not tainted as they come, since those who make the one and take away the other do not run."""


@dataclass(frozen=True, slots=True)
class Made:
    """A request somebody made."""

    user: str
    method: str
    path: str
    body: Any


class Requests:
    """The requests of the test and of the controllers, watches and the server's own left out.

    An `apiserver.core.Interceptor`: those that `refuse` has an error for are answered with it, and nothing
    is done. The others, and watches, meet the `faults` that are armed.
    """

    def __init__(self, clock: Clock) -> None:
        self.calls: list[Made] = []
        self.refuse: Callable[[Made], Exception | None] = lambda call: None
        self.watches = OpenWatches(clock)
        self.faults = FaultPlan(self.watches, Surroundings())

    def __call__(self, call: Call, go_on: Callable[[], Result]) -> Result:
        """Note the request, and answer it."""
        method = METHODS.get(call.info.verb)
        if call.user == LOOPBACK:
            return go_on()
        if method is None:
            return self.faults(call, go_on)
        made = Made(call.user.name, method, call.info.path, call.body)
        self.calls.append(made)
        refused = self.refuse(made)
        if refused is not None:
            raise refused
        return self.faults(call, go_on)

    def writes(self, method: str = "") -> list[Made]:
        """The requests that were not reads."""
        return [c for c in self.calls if c.method != "GET" and (not method or c.method == method)]


class Time(LoopClock):
    """The time of the test's loop, which stands still unless it is moved."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__(loop)
        self.loop = loop

    async def advance(self, seconds: float) -> None:
        """Move on, and return when all that fell due has happened."""
        await self.loop.advance(seconds)

    def skip(self, seconds: float) -> None:
        """The wall clock goes on by so much and no timer notices, as when the machine slept."""
        self.loop.set_wall(self.now() + timedelta(seconds=seconds))

    @contextmanager
    def at(self, moment: str) -> Iterator[None]:
        """What the test does in the block happened then, as far as the server's dates tell."""
        now = self.now()
        self.loop.set_wall(parse_time(moment))
        try:
            yield
        finally:
            self.loop.set_wall(now)


class Bench:
    """What a test holds."""

    def __init__(self, made: rig.Rig, requests: Requests, clock: Time) -> None:
        self.rig = made
        self.requests = requests
        self.clock = clock
        self.client = made.admin

    @property
    def controllers(self) -> Controllers:
        return self.rig.plane.controllers

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create, with kind and apiVersion filled in, and let the controllers react.

        A status is reported after it, as whoever reports it would. Returns what was stored first.
        """
        made = await self.make(resource, obj)
        await self.settle()
        return made

    async def make(self, resource: Resource, obj: Object) -> Object:
        """The same, without letting anybody react yet."""
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        status = whole.pop("status", None) if resource.subresource("status") else None
        made = await self.client.create(resource, whole)
        if status:
            await self.set_status(resource, made, **status)
        return made

    async def store(self, resource: Resource, obj: Object) -> None:
        """Put an object into the store past all rules (see `Rig`), and let the controllers react."""
        await self.rig.store_past_rules(resource, obj)
        await self.settle()

    async def define(self, kind: str) -> Resource:
        """Have custom resources of that kind served, in example.com/v1, with any fields."""
        plural = f"{kind.lower()}s"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        spec = {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [version],
        }
        definition = {"metadata": {"name": f"{plural}.example.com"}, "spec": spec}
        await self.create(CUSTOM_RESOURCE_DEFINITIONS, definition)
        return next(found for found in self.rig.server.core.registry.resources() if found.kind == kind)

    async def get(self, resource: Resource, name: str, namespace: str = "default") -> Object:
        return await self.client.get(resource, name, namespace if resource.namespaced else "")

    async def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        return (await self.client.list(resource, namespace)).items

    async def lasting(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Those nobody deleted: a pod with a node stays until its kubelet, which is not here, ended it."""
        return [obj for obj in await self.all(resource, namespace) if not is_deleting(obj)]

    async def set_status(self, resource: Resource, obj: Object, **status: Any) -> None:
        """Merge into the object's status, as whoever reports it would."""
        namespace = obj["metadata"].get("namespace", "")
        await self.client.patch(resource, name_of(obj), namespace, {"status": status}, subresource="status")

    async def run_all(self) -> None:
        """Let every pod become ready, as often as that makes more of them."""
        for _ in range(20):
            waiting = [pod for pod in await self.all(PODS) if is_waiting(pod)]
            if not waiting:
                return
            for pod in waiting:
                await self.set_status(PODS, pod, phase="Running", conditions=[READY])
            await self.settle()

    async def settle(self) -> None:
        """Let everything happen that needs no time; failures' first back-offs pass, too."""
        await self.clock.advance(0.04)

    def events(self) -> list[str]:
        """What was said, as "Reason: message", in the order it was said first."""
        served = self.rig.server.core.registry.of(EVENTS)
        if not served.source.is_ready:
            return []
        found = [served.decode(cached) for cached in served.cacher.list("")[0]]
        found.sort(key=lambda event: int(name_of(event).rpartition(".")[2], 16))
        return [f"{event['reason']}: {event['message']}" for event in found]


def is_waiting(pod: Object) -> bool:
    """Whether nobody has reported on the pod yet, nor wants it gone."""
    return pod["status"]["phase"] == "Pending" and not is_deleting(pod)


@asynccontextmanager
async def running(
    *kinds: type[Controller],
    config: ControllerConfig | None = None,
    not_admitted: Sequence[str] = NOT_ADMITTED,
    before: Sequence[tuple[Resource, Object]] | Callable[[Bench], Awaitable[object]] = (),
) -> AsyncIterator[Bench]:
    """Run controllers of these kinds.

    The objects of `before` are there when they start; or what it does, when it is a function, has happened.
    Admission plugins of the names in `not_admitted` are off.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop), "the bench runs in simulated time: see its docstring"
    clock = Time(loop)
    requests = Requests(clock)
    with loop.moving(PATIENCE_S):
        async with rig.running(
            clock,
            listens=False,
            kinds=kinds,
            controllers=config,
            starts_clients=False,
            disable_admission_plugins=not_admitted,
        ) as made:
            made.server.core.interceptor = requests
            made.server.core.watch_tap = requests.watches.around
            bench = Bench(made, requests, clock)
            for kind in kinds:
                if kind not in CONTROLLERS:
                    await made.admin.create(CLUSTER_ROLE_BINDINGS, _all_rights(kind))
            if callable(before):
                await before(bench)
            else:
                for resource, obj in before:
                    await bench.make(resource, obj)
            await made.plane.start_clients()
            await bench.settle()
            yield bench


def _all_rights(kind: type[Controller]) -> Object:
    """For a test's own controller, which no role knows."""
    subject = (
        {"kind": "ServiceAccount", "name": kind.account, "namespace": "kube-system"}
        if kind.account
        else {"kind": "User", "name": CONTROLLER_MANAGER, "apiGroup": "rbac.authorization.k8s.io"}
    )
    return {
        "apiVersion": CLUSTER_ROLE_BINDINGS.api_version,
        "kind": CLUSTER_ROLE_BINDINGS.kind,
        "metadata": {"name": kind.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [subject],
    }
