"""DaemonSets, nodes and pods for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from wherry.controllers.history import POD_REVISION_LABEL
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object, format_time

NOW = FakeClock().now()
LONG_AGO = format_time(NOW - timedelta(hours=1))
OLD, NEW = "old", "new"


def daemon_set(*, surge: int | str = 0, unavailable: int | str = 1, **spec: Any) -> Object:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    spec = {
        "selector": {"matchLabels": {"app": "d"}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        "template": template(),
        **spec,
    }
    meta = {"name": "d", "namespace": "default", "uid": "d-uid", "generation": 2}
    return {"kind": "DaemonSet", "metadata": meta, "spec": spec}


def template(**spec: Any) -> Object:
    return {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


def node(name: str = "n", labels: dict[str, str] | None = None, taints: list[Object] | None = None) -> Object:
    spec = {"taints": taints} if taints else {}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def taint(key: str, effect: str = "NoSchedule") -> Object:
    return {"key": key, "effect": effect}


def pod(
    name: str = "p",
    revision: str = NEW,
    *,
    phase: str = "Running",
    ready: bool = True,
    since: str = LONG_AGO,
    deleting: bool = False,
    scheduled: bool = True,
    created: str = LONG_AGO,
) -> Object:
    meta: Object = {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": created}
    meta["labels"] = {"app": "d", POD_REVISION_LABEL: revision}
    if deleting:
        meta["deletionTimestamp"] = LONG_AGO
    status: Object = {"phase": phase}
    if ready and phase == "Running":
        status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    return {"metadata": meta, "spec": {"nodeName": "n"} if scheduled else {}, "status": status}
