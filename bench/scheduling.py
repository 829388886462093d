"""Pods bound per second through the API, in the form of upstream's scheduler_perf workloads.

API server, SQLite store and scheduler on one event loop, nodes that are only objects; pods are made by
clients of the same process, as fast as they are taken. Counted is from the first creation to the last
binding, creation included; the CPU time is that of everything: clients, API server, store, scheduler.
Upstream's floors (`test/integration/scheduler_perf`, 5,000 nodes) are told beside.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any

import uvloop

from bench.figures import Figure, percentile
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.dynamicresources.device_classes import DEVICE_CLASSES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.resource import Resource
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.apiserver.config import ApiServerConfig
from wherry.client.api import Client
from wherry.cluster.assembly import ControlPlane, ControlPlaneConfig
from wherry.cluster.identities import API_SERVER, API_SERVER_TO_KUBELETS, FRONT_PROXY
from wherry.kit.clock import SystemClock
from wherry.kit.memory import collect_seldom
from wherry.objects.meta import Object
from wherry.store.sqlite import SqliteStore
from wherry.testing import keys

NAMESPACE = "bench"
WRITERS = 64
ZONES = 10


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured: `first` pods stand on the nodes, then `pods` are to be placed."""

    name: str
    nodes: int
    pods: int
    make: Callable[[int], Object]
    first: int = 0
    make_first: Callable[[int], Object] | None = None
    are_stuck: bool = False
    """Whether those that come first fit nowhere."""
    floor: int = 0
    goal: int = 0
    objects: Callable[[int], Iterator[tuple[Resource, Object]]] | None = None
    """What there is beside them for so many pods: groups, devices, claims."""
    is_churn: bool = False
    """Whether pods go while others come, and another client asks for this and that meanwhile."""


def node(number: int) -> Object:
    """A node of scheduler_perf: 4 cores, 32 GiB, 110 pods."""
    name = f"node-{number}"
    labels = {
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": f"zone-{number % ZONES}",
        "disk": "ssd" if number % 2 else "hdd",
    }
    amounts = {"cpu": "4", "memory": "32Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def pod(name: str, *, cpu: str = "100m", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod of scheduler_perf: 100m and 500 Mi."""
    container = {
        "name": "pause",
        "image": "registry.k8s.io/pause:3.10",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": cpu, "memory": "500Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels or {"app": "bench"}},
        "spec": {"containers": [container], **spec},
    }


def _basic(number: int) -> Object:
    return pod(f"p{number}")


def _first(number: int) -> Object:
    return pod(f"first{number}")


def _node_affinity(number: int) -> Object:
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}]}
    rules = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return pod(f"p{number}", affinity={"nodeAffinity": rules})


def _term(key: str, colour: str) -> Object:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"color": colour}}}


def _anti_affinity(number: int) -> Object:
    rules = {"requiredDuringSchedulingIgnoredDuringExecution": [_term("kubernetes.io/hostname", "green")]}
    return pod(f"p{number}", labels={"color": "green"}, affinity={"podAntiAffinity": rules})


def _affinity(number: int) -> Object:
    rules = {"requiredDuringSchedulingIgnoredDuringExecution": [_term("topology.kubernetes.io/zone", "blue")]}
    return pod(f"p{number}", labels={"color": "blue"}, affinity={"podAffinity": rules})


def _preferred_affinity(number: int) -> Object:
    weighted = {"weight": 1, "podAffinityTerm": _term("kubernetes.io/hostname", "red")}
    rules = {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}
    return pod(f"p{number}", labels={"color": "red"}, affinity={"podAffinity": rules})


def _spread(number: int) -> Object:
    constraint = {
        "maxSkew": 5,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"color": "spread"}},
    }
    return pod(f"p{number}", labels={"color": "spread"}, topologySpreadConstraints=[constraint])


def _small(number: int) -> Object:
    # As upstream's: nobody runs here who would say that it has ended.
    return pod(f"first{number}", cpu="900m", terminationGracePeriodSeconds=0)


def _stuck(number: int) -> Object:
    return pod(f"first{number}", nodeSelector={"disk": "none"})


def _preemptor(number: int) -> Object:
    return pod(f"p{number}", cpu="3", priorityClassName="bench-high")


GANG = 10
"""So many pods go together."""
LATENCY_GOAL = "< 50 ms"
PAUSE_S = 0.01
"""So often the other client asks."""


def _member(number: int) -> Object:
    return pod(f"p{number}", schedulingGroup={"podGroupName": f"g{number // GANG}"})


def _groups(pods: int) -> Iterator[tuple[Resource, Object]]:
    for number in range(pods // GANG):
        meta = {"name": f"g{number}", "namespace": NAMESPACE}
        spec = {"schedulingPolicy": {"gang": {"minCount": GANG}}}
        yield POD_GROUPS, {**_kind(POD_GROUPS), "metadata": meta, "spec": spec}


def _claimant(number: int) -> Object:
    return pod(f"p{number}", resourceClaims=[{"name": "gpu", "resourceClaimName": f"c{number}"}])


def _devices(pods: int) -> Iterator[tuple[Resource, Object]]:
    """A class, nodes with four devices each, and a claim for each pod."""
    selector = {"cel": {"expression": "device.driver == 'bench'"}}
    yield (
        DEVICE_CLASSES,
        {**_kind(DEVICE_CLASSES), "metadata": {"name": "gpu"}, "spec": {"selectors": [selector]}},
    )
    for number in range(-(-pods // 2)):
        pool = {"name": f"node-{number}", "generation": 1, "resourceSliceCount": 1}
        devices = [{"name": f"gpu-{device}"} for device in range(4)]
        spec = {"driver": "bench", "pool": pool, "nodeName": f"node-{number}", "devices": devices}
        yield RESOURCE_SLICES, {**_kind(RESOURCE_SLICES), "metadata": {"name": f"s{number}"}, "spec": spec}
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}
    for number in range(pods):
        meta = {"name": f"c{number}", "namespace": NAMESPACE}
        spec = {"devices": {"requests": [request]}}
        yield RESOURCE_CLAIMS, {**_kind(RESOURCE_CLAIMS), "metadata": meta, "spec": spec}


def _kind(resource: Resource) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind}


def _mixed(number: int) -> Object:
    return (_basic, _node_affinity, _spread, _preferred_affinity)[number % 4](number)


def workloads(nodes: int) -> Iterator[Workload]:
    """The workloads for a cluster of so many nodes."""
    many = min(2 * nodes, 10_000)
    yield Workload("basic", nodes, many, _basic, floor=680, goal=3000 if nodes == 100 else 1500)
    yield Workload("node affinity", nodes, many, _node_affinity, floor=220, goal=1000)
    yield Workload("required pod anti-affinity", nodes, min(nodes, 2000), _anti_affinity, floor=60, goal=600)
    yield Workload("required pod affinity", nodes, many, _affinity, floor=35, goal=600)
    yield Workload("preferred pod affinity", nodes, many, _preferred_affinity, floor=90, goal=600)
    yield Workload("topology spread", nodes, many, _spread, floor=85, goal=600)
    if nodes == 1000:
        beside = Workload("basic beside 20,000 that fit nowhere", nodes, many, _basic, 20_000, _stuck)
        yield replace(beside, are_stuck=True, goal=1500)
    yield Workload("gangs of ten", nodes, many, _member, goal=1000, objects=_groups)
    yield Workload("a claim for each pod", nodes, min(nodes, 2000), _claimant, goal=300, objects=_devices)
    yield Workload("mixed churn", nodes, many, _mixed, goal=1000, is_churn=True)
    yield Workload("preemption", nodes, min(nodes, 500), _preemptor, 4 * nodes, _small, floor=0, goal=600)


def measure_scheduling(sizes: tuple[int, ...] = (100, 1000, 5000), only: str = "") -> list[Figure]:
    """All workloads (or those whose name has `only` in it) at each number of nodes."""
    collect_seldom()  # as the server's process does
    figures: list[Figure] = []
    for size in sizes:
        for workload in workloads(size):
            if only in workload.name:
                figures += _measured(workload)
    return figures


def _measured(workload: Workload) -> list[Figure]:
    took_s, cpu_s, waits_s = uvloop.run(_run(workload))
    goal = f"≥ {workload.goal:,}" + (f" (upstream's floor {workload.floor})" if workload.floor else "")
    name = f"{workload.nodes:,} nodes, {workload.name}"
    figures = [
        Figure(name, workload.pods / took_s, "pods/s", goal),
        Figure(f"{name}, CPU of each pod", cpu_s / workload.pods * 1e6, "µs"),
    ]
    if waits_s:
        slow = percentile(waits_s, 99) * 1e3
        figures.append(Figure(f"{name}, requests of another client, p99", slow, "ms", LATENCY_GOAL))
    return figures


async def _run(workload: Workload) -> tuple[float, float, list[float]]:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as directory:
        store = await SqliteStore.open(Path(directory) / "store.db", clock)
        plane = ControlPlane(ControlPlaneConfig(api=control_plane_api()), store, clock, Random(7))
        await plane.start(listens=False)
        try:
            return await _measure(workload, plane.client("kubernetes-admin", ("system:masters",)))
        finally:
            await plane.close()
            await store.close()


def control_plane_api() -> ApiServerConfig:
    """What the API server in this process is told."""
    found = keys.make()
    return ApiServerConfig(
        port=0,
        advertise_address="192.0.2.1",
        tls_cert_file=found.of(API_SERVER).cert,
        tls_key_file=found.of(API_SERVER).key,
        client_ca_file=found.authority.cert,
        service_account_key_file=found.tokens_key,
        kubelet_client_cert_file=found.of(API_SERVER_TO_KUBELETS).cert,
        kubelet_client_key_file=found.of(API_SERVER_TO_KUBELETS).key,
        kubelet_ca_file=found.authority.cert,
        proxy_client_cert_file=found.of(FRONT_PROXY).cert,
        proxy_client_key_file=found.of(FRONT_PROXY).key,
        requestheader_client_ca_file=found.front_proxy_authority.cert,
        disable_admission_plugins=("TaintNodesByCondition",),
    )


async def _measure(workload: Workload, client: Client) -> tuple[float, float, list[float]]:
    """Seconds, CPU seconds, and how long each request of another client took."""
    await make_namespace(client)
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "bench-high"}}
    await client.create(PRIORITY_CLASSES, {**high, "value": 1000})
    await make_all(workload.nodes, lambda number: client.create(NODES, node(number)))
    if workload.make_first is not None:
        first = workload.make_first
        reached = _is_told if workload.are_stuck else _is_bound
        done = asyncio.create_task(_reached(client, "first", workload.first, reached))
        await make_all(workload.first, lambda number: client.create(PODS, first(number)))
        await done
    if workload.objects is not None:
        objects = list(workload.objects(workload.pods))
        await make_all(len(objects), lambda number: client.create(*objects[number]))
    waits_s: list[float] = []
    other = asyncio.create_task(_ask(client, waits_s)) if workload.is_churn else None
    bound: deque[str] = deque()
    done = asyncio.create_task(_reached(client, "p", workload.pods, _is_bound, bound))
    await asyncio.sleep(0)
    started, before = perf_counter(), process_time()

    async def write(number: int) -> None:
        await client.create(PODS, workload.make(number))
        if workload.is_churn and number % 2 and bound:
            await client.delete(PODS, bound.popleft(), NAMESPACE, grace_period_s=0)

    await make_all(workload.pods, write)
    await done
    took_s, cpu_s = perf_counter() - started, process_time() - before
    if other is not None:
        other.cancel()
    return took_s, cpu_s, waits_s


async def make_namespace(client: Client) -> None:
    """The namespace of all of this, with the account its pods run as."""
    await client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await client.create(SERVICE_ACCOUNTS, account, NAMESPACE)


async def _ask(client: Client, waits_s: list[float]) -> None:
    """Read, write and list a little, again and again."""
    meta = {"name": "other", "namespace": NAMESPACE}
    await client.create(CONFIG_MAPS, {**_kind(CONFIG_MAPS), "metadata": meta})
    for number in itertools.count():
        began = perf_counter()
        match number % 3:
            case 0:
                await client.get(CONFIG_MAPS, "other", NAMESPACE)
            case 1:
                await client.patch(CONFIG_MAPS, "other", NAMESPACE, {"data": {"at": str(number)}})
            case _:
                await client.list(SERVICE_ACCOUNTS, NAMESPACE)
        waits_s.append(perf_counter() - began)
        await asyncio.sleep(PAUSE_S)


async def make_all(count: int, write: Callable[[int], Any]) -> None:
    """Do `write` for each number, some at a time."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await write(number)

    await asyncio.gather(*(some() for _ in range(WRITERS)))


def _is_bound(pod: Object) -> bool:
    return bool(pod["spec"].get("nodeName"))


def _is_told(pod: Object) -> bool:
    return any(c["type"] == "PodScheduled" for c in pod["status"].get("conditions") or ())


async def _reached(
    client: Client, prefix: str, count: int, has: Callable[[Object], bool], names: deque[str] | None = None
) -> None:
    """Return when so many pods whose name begins with `prefix` and a number `has` what is waited for.

    Their names are added to `names`.
    """
    found: set[str] = set()
    version = (await client.list(PODS, NAMESPACE, limit=1)).resource_version
    async for event in client.watch(PODS, NAMESPACE, resource_version=version):
        if event.type not in ("ADDED", "MODIFIED") or not has(event.object):
            continue
        name = event.object["metadata"]["name"]
        if name not in found and name.startswith(prefix) and name[len(prefix) :].isdecimal():
            found.add(name)
            if names is not None:
                names.append(name)
            if len(found) == count:
                return
