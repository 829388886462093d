"""`scale`: the replicas of a workload, as an autoscaling/v1 Scale.

Old versions of workloads have a Scale of their own, which tells the selector in two ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wherry.api.apiextensions.custom_kind import ScalePaths, value_at
from wherry.api.resource import Resource
from wherry.apiserver import ownership
from wherry.apiserver.body import media_type, private_copy, read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import check_write_options
from wherry.apiserver.registry import Served
from wherry.apiserver.subresources.scale_owners import IN_SCALE, Paths, shown_in_scale, taken_from_scale
from wherry.apiserver.verbs.get import check_reached
from wherry.apiserver.verbs.patch import APPLY_PATCH, force_errors, patcher, read_applied
from wherry.apiserver.verbs.write import Lens, main_rules, other_incarnation, update_object
from wherry.objects.errors import bad_request, conflict, invalid, invalid_value, not_found
from wherry.objects.managed_fields import STATUS
from wherry.objects.meta import Object
from wherry.objects.selectors import from_label_selector, from_map

API_VERSION, KIND = "autoscaling/v1", "Scale"


async def scale(core: Core, call: Call, served: Served) -> Outcome:
    """GET, PUT or PATCH of the Scale. Raises ApiError."""
    resource, info = served.resource, call.info
    api_version = _api_version(resource)
    paths = resource.custom.scale if resource.custom is not None else None
    if info.verb == "get":
        check_reached(core, call.query.get("resourceVersion", ""))
        cached = served.get(info.namespace, info.name)
        if cached is None:
            raise not_found(resource.plural, resource.group, info.name)
        return Outcome(obj=scale_of(served.decode(cached), api_version, paths))
    scales = _scales(resource, api_version)
    replicas_at = _replica_paths(core, resource)
    write = await _write(core, call, resource, scales)

    def produce(live: Object) -> Object:
        before = scale_of(live, api_version, paths)
        entries = live["metadata"].get("managedFields")
        if shown := shown_in_scale(entries, api_version, replicas_at):
            before["metadata"]["managedFields"] = shown
        after = write(before)
        _check(call, served, before, after)
        if not after["metadata"].get("resourceVersion") or info.verb == "patch":
            live["metadata"].pop("resourceVersion", None)
        set_replicas(live, (after.get("spec") or {}).get("replicas") or 0, paths)
        owners = after["metadata"].get("managedFields")
        live["metadata"]["managedFields"] = taken_from_scale(
            entries, owners, resource.api_version, api_version, replicas_at
        )
        return live

    def take(live: Object, after: Object) -> None:
        _check_replicas(after, info.name)
        set_replicas(live, (after.get("spec") or {}).get("replicas") or 0, paths)

    lens = Lens(lambda live: scale_of(live, api_version, paths), take)
    rules = replace(main_rules(resource), tracks_owners=False, lens=lens)
    outcome = await update_object(core, call, served, produce, rules)
    return Outcome(obj=scale_of(outcome.object, api_version, paths))


async def _write(core: Core, call: Call, resource: Resource, scales: Resource) -> Callable[[Object], Object]:
    """What the call makes of a Scale, its managedFields kept. Raises ApiError (400, 409, 415, 422)."""
    if call.info.verb == "patch":
        kind = media_type(call.content_type)
        check_write_options(call.query, "PatchOptions", force_errors(call, kind))
        if kind == APPLY_PATCH:
            applied = read_applied(call, scales)
            return lambda before: private_copy(ownership.apply(core, call, scales, before, applied, STATUS))
        change = patcher(call, resource, is_own_kind=False)
    else:
        check_write_options(call.query, "UpdateOptions")
        sent = await read_object(core, call, resource, scales.api_version, KIND)
        change = lambda _: sent  # noqa: E731 - the counterpart of a patch

    def write(before: Object) -> Object:
        after: Object = private_copy(change(before))
        if isinstance(after.get("metadata"), dict):
            ownership.track(core, call, scales, before, after, STATUS, core.timestamp())
        return after

    return write


def _scales(resource: Resource, api_version: str) -> Resource:
    """The Scale of a workload as a resource, for its shape and version."""
    group, _, version = api_version.rpartition("/")
    schema = "io.k8s.api.autoscaling.v1"
    if api_version != API_VERSION:
        schema = resource.schema.rpartition(".")[0]
    return Resource(
        group=group,
        version=version,
        kind=KIND,
        plural=resource.plural,
        namespaced=resource.namespaced,
        schema=f"{schema}.{KIND}",
    )


def _replica_paths(core: Core, resource: Resource) -> Paths:
    """Where every version of the workload has its replicas."""
    return {
        version.api_version: version.custom.scale.spec_replicas
        if version.custom is not None and version.custom.scale is not None
        else IN_SCALE
        for version in ownership.versions_of(core, resource)
    }


def _api_version(resource: Resource) -> str:
    """The apiVersion of the Scale the resource declares."""
    declared = resource.subresource("scale")
    if declared is None or not declared.version:
        return resource.api_version
    return f"{declared.group}/{declared.version}"


def _check(call: Call, served: Served, before: Object, after: Object) -> None:
    resource, info = served.resource, call.info
    if not isinstance(after.get("metadata"), dict) or not isinstance(after.get("spec") or {}, dict):
        raise bad_request("the Scale must have metadata and a spec")
    meta = after["metadata"]
    if meta.get("name") and meta["name"] != info.name:
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({info.name})"
        )
    revision = meta.get("resourceVersion")
    if revision and revision != before["metadata"]["resourceVersion"]:
        raise conflict(resource.plural, resource.group, info.name)
    uid = meta.get("uid")
    if uid and uid != before["metadata"].get("uid"):
        found = before["metadata"].get("uid", "")
        key = resource.key(info.namespace, info.name)
        raise other_incarnation(resource, info.name, key, uid, found)
    _check_replicas(after, info.name)


def _check_replicas(after: Object, name: str) -> None:
    replicas = (after.get("spec") or {}).get("replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field '
            "ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        problem = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid(KIND, "autoscaling", name, [problem])


def set_replicas(obj: Object, replicas: int, paths: ScalePaths | None) -> None:
    """Write the wanted replicas into a workload; `paths` tells where a custom resource has them."""
    *parents, last = paths.spec_replicas if paths is not None else ("spec", "replicas")
    for name in parents:
        obj = obj.setdefault(name, {})
    obj[last] = replicas


def scale_of(obj: Object, api_version: str = API_VERSION, paths: ScalePaths | None = None) -> Object:
    """The Scale of a workload; `paths` tells where a custom resource has its values."""
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    replicas, present = spec.get("replicas"), status.get("replicas")
    selector = spec.get("selector") or {}
    if paths is not None:
        replicas, present = value_at(obj, paths.spec_replicas), value_at(obj, paths.status_replicas)
        text = value_at(obj, paths.selector) if paths.selector else ""
    else:
        text = selector_text(selector)
    shown: Object = {"replicas": present or 0}
    if text and api_version == API_VERSION:
        shown["selector"] = text
    elif text:
        shown["targetSelector"] = text
        if not selector.get("matchExpressions"):
            shown["selector"] = selector.get("matchLabels") or {}
    return {
        "apiVersion": api_version,
        "kind": KIND,
        "metadata": {field: meta[field] for field in kept if field in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def selector_text(selector: Object) -> str:
    """A workload's selector as text, "" for none."""
    if "matchLabels" in selector or "matchExpressions" in selector:
        return str(from_label_selector(selector))
    return str(from_map(selector)) if selector else ""
