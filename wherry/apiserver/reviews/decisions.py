"""PodDecision and PodDecisionReview: why a pod is where it is, and where one would go.

The scheduler in this process answers; an API server without one does not have these kinds. What a review asks
about is made a pod as a dry run of its creation would: by the caller's rights, with defaults, priority and
admission.
"""

from __future__ import annotations

from wherry.api.core.pods import PODS
from wherry.apiserver.body import private_copy, read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core, Explains
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.write import create_object
from wherry.objects.errors import ApiError, service_unavailable
from wherry.objects.meta import Object

NO_SCHEDULER = "no scheduler runs in the API server's process"
DRY_RUN = {"dryRun": "All"}


async def pod_decision(core: Core, call: Call, served: Served) -> Outcome:
    """The decision about the pod of that name. Raises ApiError (404, 503)."""
    pods = core.registry.of(PODS)
    await pods.source.open()
    cached = pods.get(call.info.namespace, call.info.name)
    if cached is None:
        raise pods.absent(call.info.namespace, call.info.name)
    pod = cached.decode()
    kept = ("name", "namespace", "uid", "creationTimestamp")
    found = {name: pod["metadata"][name] for name in kept if name in pod["metadata"]}
    return Outcome(obj=_typed(served, found, {"status": await _explains(core).decision(pod)}))


async def pod_decision_review(core: Core, call: Call, served: Served) -> Outcome:
    """Where a pod of the review's template would go; 201. Raises ApiError (400, 403, 422, 503)."""
    review = await read_object(core, call, served.resource)
    explains = _explains(core)
    pods = core.registry.of(PODS)
    await pods.source.open()
    info = call.info._replace(group="", version="v1", resource="pods", name="")
    core.authorizer.check(call.user, info)
    asked = Call(info, call.user, DRY_RUN, _pod_of(review, call.info.namespace))
    created = await create_object(core, asked, pods, private_copy(asked.body))
    call.warnings += asked.warnings
    return Outcome(obj={**review, "status": await explains.what_if(created.object)}, status=201)


def _explains(core: Core) -> Explains:
    if core.explains is None:
        raise service_unavailable(NO_SCHEDULER)
    return core.explains


def _pod_of(review: Object, namespace: str) -> Object:
    template = (review.get("spec") or {}).get("template") or {}
    if (template.get("metadata") or {}).get("resourceVersion"):
        path = "spec.template.metadata.resourceVersion"
        raise ApiError(400, "BadRequest", f"{path}: must not be set: the pod is not there yet")
    meta = {**(template.get("metadata") or {}), "namespace": namespace}
    # One of that name may be there.
    meta["generateName"] = f"{meta.pop('name', '') or 'what-if'}-"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec") or {}}


def _typed(served: Served, meta: Object, rest: Object) -> Object:
    resource = served.resource
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **rest}
