"""`pods/ephemeralcontainers` and `pods/resize`: the two doors to a running pod's spec."""

from __future__ import annotations

from wherry.api.core.pod_resize import validate_resize
from wherry.api.core.pods import validate_ephemeral_update, validate_pod
from wherry.api.equality import track_generation
from wherry.api.validation import validate_object_meta_update
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.get import get
from wherry.apiserver.verbs.patch import patch_with
from wherry.apiserver.verbs.update import replace
from wherry.apiserver.verbs.write import Rules
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object


async def ephemeral_containers(core: Core, call: Call, served: Served) -> Outcome:
    """GET, PUT or PATCH; only `spec.ephemeralContainers` can change. Raises ApiError."""
    return await _through(core, call, served, Rules(prepare_ephemeral, validate_ephemeral_update))


async def resize(core: Core, call: Call, served: Served) -> Outcome:
    """GET, PUT or PATCH; only the containers' resources can change. Raises ApiError."""
    return await _through(core, call, served, Rules(prepare_resize, _validate_resize))


async def _through(core: Core, call: Call, served: Served, rules: Rules) -> Outcome:
    if call.info.verb == "get":
        return get(core, call, served)
    if call.info.verb == "update":
        return await replace(core, call, served, rules)
    return await patch_with(core, call, served, rules)


def prepare_ephemeral(new: Object, old: Object) -> None:
    """Keep everything as stored but the ephemeral containers."""
    spec = {**old["spec"]}
    containers = (new.get("spec") or {}).get("ephemeralContainers")
    if containers:
        spec["ephemeralContainers"] = containers
    else:
        spec.pop("ephemeralContainers", None)
    _keep_all_but_spec(new, old, spec)


def prepare_resize(new: Object, old: Object) -> None:
    """Keep everything as stored but the spec, which validation holds to the containers' resources."""
    _keep_all_but_spec(new, old, new.get("spec") or {})


def _keep_all_but_spec(new: Object, old: Object, spec: Object) -> None:
    meta = dict(old["metadata"])
    for field in ("resourceVersion", "managedFields"):
        if new["metadata"].get(field):
            meta[field] = new["metadata"][field]
    new.clear()
    new.update({**old, "metadata": meta, "spec": spec})
    track_generation(new, old)


def _validate_resize(new: Object, old: Object) -> list[FieldError]:
    errors = validate_object_meta_update(new, old)
    validate_pod(new, errors)
    return errors or validate_resize(new, old)
