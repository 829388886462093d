"""DELETE of what is stored but cannot be read: `AllowUnsafeMalformedObjectDeletion` (KEP 3926).

Finalizers, preconditions and grace need an object, so none of them holds here. Only who may do the verb
`unsafe-delete-ignore-read-errors` may ask for it (registry/generic, corrupt_obj_deleter.go).
"""

from __future__ import annotations

from wherry.apiserver.admission.base import DELETE, Attributes
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import IGNORE_READ_ERROR, DeleteOptions
from wherry.apiserver.registry import Served
from wherry.objects.errors import conflict, forbidden, invalid, invalid_value
from wherry.objects.meta import Object
from wherry.store.base import KeyMissing, RevisionMismatch

VERB = "unsafe-delete-ignore-read-errors"
NOT_CORRUPT = "is exclusively used to delete corrupt object(s), try again by removing this option"


async def delete_unreadable(core: Core, call: Call, served: Served, options: DeleteOptions) -> Outcome:
    """Delete the named object, which nobody can read; a Status of success. Raises ApiError."""
    info, resource = call.info, served.resource
    call.annotate("apiserver.k8s.io/unsafe-delete-ignore-read-error", "")
    decision = core.authorizer.decide(call.user, info._replace(verb=VERB))
    if not decision.allowed:
        why = f'not permitted to do "{VERB}", reason: {decision.reason}, err: <nil>'
        raise forbidden(resource.plural, resource.group, info.name, why)
    key = resource.key(info.namespace, info.name)
    revision = served.cacher.unreadable.get(key)
    if revision is None:
        raise invalid(
            resource.plural, resource.group, info.name, [invalid_value(IGNORE_READ_ERROR, True, NOT_CORRUPT)]
        )
    await _admit(core, call, served, options)
    try:
        with core.storing("delete", resource):
            await served.store.delete(key, expected=revision)
    except KeyMissing:
        pass  # somebody else was faster, which is fine
    except RevisionMismatch as error:
        raise conflict(resource.plural, resource.group, info.name) from error
    details: Object = {"name": info.name, "kind": resource.plural}
    if resource.group:
        details["group"] = resource.group
    return Outcome(
        obj={"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    )


async def _admit(core: Core, call: Call, served: Served, options: DeleteOptions) -> None:
    """Ask admission about all that is known of the object, which is where it is."""
    info, resource = call.info, served.resource
    known: Object = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": info.name, **({"namespace": info.namespace} if info.namespace else {})},
    }
    attributes = Attributes(
        core,
        DELETE,
        resource,
        "",
        info.namespace,
        info.name,
        call.user,
        None,
        known,
        options.dry_run,
        call.warnings,
        call,
        options,
    )
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)
