"""`pods/binding`: the scheduler gives a pod its node."""

from __future__ import annotations

from wherry.api.core.pod_binding import bind, binding_refusal, validate_binding
from wherry.apiserver.admission.base import CREATE, Attributes
from wherry.apiserver.body import read_object
from wherry.apiserver.cached import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import check_write_options
from wherry.apiserver.registry import Served
from wherry.apiserver.rewrite import rewrite, swap
from wherry.apiserver.verbs.write import other_incarnation
from wherry.objects.errors import conflict, invalid
from wherry.objects.meta import uid_of

BOUND = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def binding(core: Core, call: Call, served: Served) -> Outcome:
    """Bind the pod; 201. Raises ApiError (404, 409, 422)."""
    check_write_options(call.query, "CreateOptions")
    wanted = await read_object(core, call, served.resource, "v1", "Binding")
    info = call.info
    attributes = Attributes.of(core, call, served, CREATE, wanted, None)
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)
    errors = validate_binding(wanted)
    if errors:
        raise invalid("Binding", "", info.name, errors)

    async def attempt(cached: Cached) -> None:
        pod = cached.decode()
        uid = uid_of(wanted)
        if uid and uid != uid_of(pod):
            raise other_incarnation(served.resource, info.name, cached.key, uid, uid_of(pod))
        refusal = binding_refusal(pod)
        if refusal:
            raise conflict("pods/binding", "", info.name, refusal)
        if not call.is_dry_run:
            await swap(core, served, cached, bind(pod, wanted, core.timestamp()))

    await rewrite(
        served, info.namespace, info.name, attempt, exhausted=conflict("pods/binding", "", info.name)
    )
    return Outcome(obj=dict(BOUND), status=201)
