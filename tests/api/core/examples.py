"""Small objects to start a test from, and `put` to change one thing in them."""

from __future__ import annotations

import itertools
import re
from typing import Any

from wherry.api.resource import Resource
from wherry.api.schema import check, definition
from wherry.objects.meta import Object

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def put(obj: Object, path: str, value: Any) -> None:
    """Set the value at a path such as `spec.containers[0].image`, making what is missing on the way."""
    steps = [int(index) if index else name for name, index in _STEP.findall(path)]
    here: Any = obj
    for step, following in itertools.pairwise(steps):
        empty: Any = [] if isinstance(following, int) else {}
        here = _enter(here, step, empty)
    _enter(here, steps[-1], None)
    here[steps[-1]] = value


def _enter(here: Any, step: int | str, empty: Any) -> Any:
    if isinstance(step, int):
        while len(here) <= step:
            here.append(empty)
    elif here.get(step) is None:
        here[step] = empty
    return here[step]


def pod(**changes: Any) -> Object:
    """A pod with one nginx container, and the changes (path to value) made to it."""
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "nginx", "image": "nginx"}]},
    }
    return changed(obj, changes)


def template() -> Object:
    """A pod template labelled app=web."""
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]},
    }


def workload(kind: str, **changes: Any) -> Object:
    """A ReplicaSet or Deployment of app=web."""
    obj: Object = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template()},
    }
    return changed(obj, changes)


def service(**changes: Any) -> Object:
    """A service of app=web on port 80."""
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    return changed(obj, changes)


def changed(obj: Object, changes: dict[str, Any]) -> Object:
    """The object with each path set to its value."""
    for path, value in changes.items():
        put(obj, path, value)
    return obj


def create(resource: Resource, obj: Object) -> list[str]:
    """Decode, default and prepare the object as on create; returns what validation says of it."""
    check(obj, definition(resource.schema))
    resource.strategy.default(obj)
    resource.strategy.prepare(obj, None)
    return [str(error) for error in resource.strategy.validate(obj, None)]


def stored(resource: Resource, obj: Object) -> Object:
    """The object as it is stored after it was created."""
    assert create(resource, obj) == []
    obj["metadata"] |= {"resourceVersion": "1", "uid": "u1"}
    return obj


def update(resource: Resource, new: Object, old: Object) -> list[str]:
    """Decode, default and prepare the object as on update; returns what validation says of it."""
    check(new, definition(resource.schema))
    resource.strategy.default(new)
    resource.strategy.prepare(new, old)
    return [str(error) for error in resource.strategy.validate(new, old)]
