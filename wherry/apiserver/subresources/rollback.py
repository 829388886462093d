"""`deployments/rollback` of old versions: an order to go back to an earlier revision.

It only writes the order down; the deployment controller carries it out.
"""

from __future__ import annotations

from wherry.apiserver.body import read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import check_write_options
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.write import main_rules, update_object
from wherry.objects.errors import FieldError, bad_request, invalid, invalid_value, required
from wherry.objects.meta import Object

KIND = "DeploymentRollback"


async def rollback(core: Core, call: Call, served: Served) -> Outcome:
    """Note the order in the deployment; 201 with a Status. Raises ApiError (400, 404, 409, 422)."""
    check_write_options(call.query, "CreateOptions")
    order = await read_object(core, call, served.resource, kind=KIND)
    name = order.get("name") or ""
    if name != call.info.name:
        raise bad_request("name in URL does not match name in DeploymentRollback object")
    errors = order_errors(order)
    if errors:
        raise invalid(KIND, served.resource.group, name, errors)

    def produce(deployment: Object) -> Object:
        meta = deployment["metadata"]
        meta.pop("resourceVersion", None)  # whoever wrote in between, the order stands
        updated = order.get("updatedAnnotations")
        if updated:
            meta["annotations"] = {**(meta.get("annotations") or {}), **updated}
        deployment.setdefault("spec", {})["rollbackTo"] = order.get("rollbackTo") or {}
        return deployment

    await update_object(core, call, served, produce, main_rules(served.resource))
    done = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "message": f'rollback request for deployment "{name}" succeeded',
        "code": 200,
    }
    return Outcome(obj=done, status=201)


def order_errors(order: Object) -> list[FieldError]:
    """What is wrong with a DeploymentRollback."""
    errors: list[FieldError] = []
    if not order.get("name"):
        errors.append(required("name", "name is required"))
    to, annotations = order.get("rollbackTo") or {}, order.get("updatedAnnotations") or {}
    revision = to.get("revision") if isinstance(to, dict) else to
    if revision is not None and (not isinstance(revision, int) or isinstance(revision, bool)):
        errors.append(invalid_value("rollbackTo.revision", revision, "must be a number"))
    elif revision is not None and revision < 0:
        errors.append(invalid_value("rollbackTo.revision", revision, "must be greater than or equal to 0"))
    if not isinstance(annotations, dict) or not all(isinstance(v, str) for v in annotations.values()):
        errors.append(invalid_value("updatedAnnotations", annotations, "must be a map of texts"))
    return errors
