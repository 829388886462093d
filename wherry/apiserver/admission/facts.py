"""The facts of a request as AdmissionReviews and expressions tell them: all but the objects."""

from __future__ import annotations

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CONNECT, CREATE, DELETE, UPDATE, Attributes
from wherry.apiserver.admission.matching.rules import kind_of
from wherry.apiserver.options import IGNORE_READ_ERROR, META_GROUP, DeleteOptions
from wherry.objects.meta import Object

_OPTIONS = {CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions"}
_STRINGS = ("fieldManager", "fieldValidation")


def request_facts(attributes: Attributes, resource: Resource) -> Object:
    """Everything an AdmissionRequest says but uid, object and oldObject.

    `resource` is the version the rule names, which may be another than the one asked for.
    """
    asked, below = attributes.resource, attributes.subresource
    facts: Object = {
        "kind": kind_of(resource, below)._asdict(),
        "resource": _resource(resource),
        "requestKind": kind_of(asked, below)._asdict(),
        "requestResource": _resource(asked),
        "operation": attributes.operation,
        "userInfo": attributes.user.user_info(),
        "dryRun": attributes.dry_run,
    }
    if below:
        facts["subResource"] = facts["requestSubResource"] = below
    if attributes.name and not attributes.has_generated_name:
        facts["name"] = attributes.name
    namespace = attributes.name if asked is NAMESPACES else attributes.namespace
    if namespace:
        facts["namespace"] = namespace
    options = options_of(attributes)
    if options is not None:
        facts["options"] = options
    return facts


def _resource(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def options_of(attributes: Attributes) -> Object | None:
    """The request's options as an object, None for a connection."""
    operation, call = attributes.operation, attributes.call
    if operation == CONNECT:
        return None
    options: Object = {"kind": _OPTIONS[operation], "apiVersion": f"{META_GROUP}/v1"}
    if operation == DELETE:
        return options | (_deletion(attributes.deletion) if attributes.deletion is not None else {})
    query = call.query if call is not None else {}
    if query.get("dryRun"):
        options["dryRun"] = [query["dryRun"]]
    return options | {name: query[name] for name in _STRINGS if query.get(name)}


def _deletion(options: DeleteOptions) -> Object:
    found: Object = {}
    if options.grace_period_s is not None:
        found["gracePeriodSeconds"] = options.grace_period_s
    wanted = {"uid": options.uid, "resourceVersion": options.resource_version}
    if preconditions := {name: value for name, value in wanted.items() if value}:
        found["preconditions"] = preconditions
    if options.orphan_dependents is not None:
        found["orphanDependents"] = options.orphan_dependents
    elif options.propagation:
        found["propagationPolicy"] = options.propagation
    if options.dry_run:
        found["dryRun"] = ["All"]
    if options.ignores_read_error:
        found[IGNORE_READ_ERROR] = True
    return found
