"""StatefulSets and pods for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from wherry.controllers.history import POD_REVISION_LABEL
from wherry.controllers.statefulset.identity import identity_labels
from wherry.controllers.statefulset.plan import View
from wherry.kit.clock import FakeClock
from wherry.objects.meta import Object, format_time

NOW = FakeClock().now()
LONG_AGO = format_time(NOW - timedelta(hours=1))
OLD, NEW = "web-old", "web-new"


def stateful_set(replicas: int = 3, *, status: Object | None = None, **spec: Any) -> Object:
    spec = {
        "replicas": replicas,
        "serviceName": "nginx",
        "selector": {"matchLabels": {"app": "web"}},
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"partition": 0, "maxUnavailable": 1},
        },
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
        **spec,
    }
    meta = {"name": "web", "namespace": "default", "uid": "set-uid", "generation": 2}
    return {"kind": "StatefulSet", "metadata": meta, "spec": spec, **({"status": status} if status else {})}


def rolling(**parameters: Any) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1, **parameters}}


def claim_template(name: str = "www") -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name}, "spec": spec}


def pod(
    ordinal: int,
    *,
    revision: str = OLD,
    phase: str = "Running",
    ready: bool = True,
    since: str = LONG_AGO,
    deleting: bool = False,
) -> Object:
    name = f"web-{ordinal}"
    labels = {"app": "web", **identity_labels(name, ordinal), POD_REVISION_LABEL: revision}
    meta: Object = {"name": name, "namespace": "default", "uid": f"uid-{ordinal}", "labels": labels}
    if deleting:
        meta["deletionTimestamp"] = LONG_AGO
    status: Object = {"phase": phase}
    if ready and phase == "Running":
        status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    return {"metadata": meta, "spec": {}, "status": status}


def view(owner: Object, pods: list[Object], claims: list[Object] | None = None) -> View:
    by_name = {claim["metadata"]["name"]: claim for claim in claims or ()}
    return View(owner, pods, by_name.get, NOW)
