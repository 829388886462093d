"""Every component there is, as data: what supervisor, states, status, logs, order of stopping and help go by.

Adding one is adding a line here (docs/components.md). Standard library only: the supervisor reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """Of what there is one: of a cluster, or of each node with containers."""

    CLUSTER = "cluster"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component.

    `module` is what `python -m` runs, in the foreground until SIGTERM; what a supervisor looks after is
    started by `run`. `needs` are components that are started before it and end after it. `identity` is who
    it is to the API server (`identities.IDENTITIES`),
    "" for nobody. One with `runs` has these others in its process, each still under its own identity, and is
    what a supervisor looks after; one without runs alone for whoever starts it. `children` are programs it
    starts that outlive it, each with a log of its name. `upstream` is the program whose flags it takes when
    it runs alone, `example` a command line.
    """

    name: str
    scope: Scope
    summary: str
    module: str
    needs: tuple[str, ...] = ()
    identity: str = ""
    runs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    upstream: str = ""
    example: str = ""


SUPERVISOR = "supervisor"
SERVER = "server"
AGENT = "agent"
APISERVER = "apiserver"
CONTROLLERS = "controllers"
SCHEDULER = "scheduler"
KUBELET = "kubelet"
PROXY = "proxy"
DNS = "dns"

COMPONENTS = (
    Component(
        name=SERVER,
        scope=Scope.CLUSTER,
        summary="API server, controllers and scheduler",
        module="wherry.cluster.server",
        runs=(APISERVER, CONTROLLERS, SCHEDULER),
    ),
    Component(
        name=AGENT,
        scope=Scope.NODE,
        summary="kubelet, proxy and DNS",
        module="wherry.cluster.agent",
        needs=(SERVER,),
        runs=(KUBELET, PROXY, DNS),
        children=("containerd",),
    ),
    Component(
        name=APISERVER,
        scope=Scope.CLUSTER,
        summary="the API server alone",
        module="wherry.cluster.alone.apiserver",
        upstream="kube-apiserver",
        example="wherry apiserver --data-dir=/var/lib/kube",
    ),
    Component(
        name=CONTROLLERS,
        scope=Scope.CLUSTER,
        summary="the controllers alone",
        module="wherry.cluster.alone.controllers",
        needs=(APISERVER,),
        identity="controllers",
        upstream="kube-controller-manager",
        example="wherry controllers --kubeconfig=controllers.kubeconfig",
    ),
    Component(
        name=SCHEDULER,
        scope=Scope.CLUSTER,
        summary="the scheduler alone",
        module="wherry.cluster.alone.scheduler",
        needs=(APISERVER,),
        identity="scheduler",
        upstream="kube-scheduler",
        example="wherry scheduler --kubeconfig=scheduler.kubeconfig",
    ),
    Component(
        name=KUBELET,
        scope=Scope.NODE,
        summary="a node's kubelet alone",
        module="wherry.cluster.alone.kubelet",
        needs=(APISERVER,),
        identity="kubelet",
        upstream="kubelet",
        example="wherry kubelet --kubeconfig=kubelet.kubeconfig --node-ip=192.0.2.10",
    ),
    Component(
        name=PROXY,
        scope=Scope.NODE,
        summary="a node's service rules alone",
        module="wherry.cluster.alone.proxy",
        needs=(APISERVER,),
        identity="proxy",
        upstream="kube-proxy",
        example="wherry proxy --kubeconfig=proxy.kubeconfig --cluster-cidr=10.244.0.0/16",
    ),
    Component(
        name=DNS,
        scope=Scope.NODE,
        summary="the cluster's DNS alone",
        module="wherry.cluster.alone.dns",
        needs=(APISERVER,),
        identity="dns",
        upstream="coredns",
        example="wherry dns --kubeconfig=dns.kubeconfig --address=10.96.0.10",
    ),
)


def component_called(name: str) -> Component:
    """The component of that name. Raises KeyError."""
    return _BY_NAME[name]


def in_start_order(components: Iterable[Component]) -> tuple[Component, ...]:
    """The components, each after those it needs; they end in the reverse order.

    Raises ValueError for needs that go round in a circle.
    """
    left, ordered = list(components), list[Component]()
    names = {component.name for component in left}
    while left:
        begun = {component.name for component in ordered}
        ready = [one for one in left if all(name in begun for name in one.needs if name in names)]
        if not ready:
            raise ValueError(f"components need each other: {', '.join(one.name for one in left)}")
        ordered += ready
        left = [one for one in left if one not in ready]
    return tuple(ordered)


def supervised(*, has_node: bool) -> tuple[str, ...]:
    """The names of what a supervisor looks after, in the order it is started in."""
    scopes = (Scope.CLUSTER, Scope.NODE) if has_node else (Scope.CLUSTER,)
    found = (component for component in COMPONENTS if component.runs and component.scope in scopes)
    return tuple(component.name for component in in_start_order(found))


def logs_of(components: Iterable[str]) -> tuple[str, ...]:
    """The logs there are beside these components: theirs, their supervisor's, their programs'."""
    names = tuple(components)
    children = (child for name in names for child in component_called(name).children)
    return (*names, SUPERVISOR, *children)


_BY_NAME = {component.name: component for component in COMPONENTS}
SUPERVISED = supervised(has_node=True)
"""What a supervisor may look after at most, in the order it is started in."""
