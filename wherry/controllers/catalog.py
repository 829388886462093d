"""Every controller there is; `controllers` starts these and no others."""

from __future__ import annotations

from wherry.controllers.base import Controller
from wherry.controllers.deployment.controller import Deployments
from wherry.controllers.replicas.controller import ReplicaSets, ReplicationControllers

CONTROLLERS: tuple[type[Controller], ...] = (
    Deployments,
    ReplicaSets,
    ReplicationControllers,
)
