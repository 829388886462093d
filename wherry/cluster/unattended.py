"""Which kinds nothing in a cluster acts on: those whose controller, as upstream calls it, does not run.

A row goes by itself when a controller of that name is in the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wherry.apiserver.admission.unattended import Unattended

SUFFIX = "-controller"


def _wants_load_balancer(service: Mapping[str, Any]) -> bool:
    spec = service.get("spec") or {}
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def _names_a_built_in_signer(request: Mapping[str, Any]) -> bool:
    return str((request.get("spec") or {}).get("signerName") or "").startswith("kubernetes.io/")


ACTED_ON: tuple[Unattended, ...] = (
    Unattended(resource="jobs", groups=("batch",), controller="job"),
    Unattended(resource="cronjobs", groups=("batch",), controller="cronjob"),
    Unattended(resource="statefulsets", groups=("apps",), controller="statefulset"),
    Unattended(resource="daemonsets", groups=("apps", "extensions"), controller="daemonset"),
    Unattended(
        resource="horizontalpodautoscalers", groups=("autoscaling",), controller="horizontal-pod-autoscaler"
    ),
    Unattended(
        resource="services",
        groups=("",),
        controller="service-lb",
        says="{kind} of type LoadBalancer gets no address from this cluster yet, only a node port",
        concerns=_wants_load_balancer,
    ),
    Unattended(
        resource="ingresses",
        groups=("networking.k8s.io", "extensions"),
        controller="ingress",
        says="{kind} is stored, but there is no IngressClass: no controller acts on it yet",
        until_class=True,
    ),
    Unattended(
        resource="networkpolicies",
        groups=("networking.k8s.io", "extensions"),
        controller="networkpolicy",
        says="{kind} is stored, but nothing in this cluster enforces it yet",
    ),
    Unattended(
        resource="persistentvolumeclaims",
        groups=("",),
        controller="persistentvolume-binder",
        says="{kind} is stored, but nothing in this cluster binds it yet: pods wait for it",
    ),
    Unattended(
        resource="certificatesigningrequests",
        groups=("certificates.k8s.io",),
        controller="certificatesigningrequest-signing",
        says="{kind} is stored, but nothing in this cluster signs for signers of kubernetes.io yet",
        concerns=_names_a_built_in_signer,
    ),
    Unattended(resource="resourceclaims", groups=("resource.k8s.io",), controller="resourceclaim"),
    Unattended(
        resource="volumeattachments", groups=("storage.k8s.io",), controller="persistentvolume-attach-detach"
    ),
)
"""Kinds that do nothing by themselves. Upstream has a controller for each, but for ingresses and network
policies, which are others' business there too."""


def unattended(controllers: Iterable[str]) -> tuple[Unattended, ...]:
    """The kinds nobody acts on where `controllers` (their names) run."""
    running = {name.removesuffix(SUFFIX) for name in controllers}
    return tuple(row for row in ACTED_ON if row.controller not in running)
