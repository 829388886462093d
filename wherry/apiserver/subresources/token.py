"""`serviceaccounts/token`: a TokenRequest is answered with a token, bound to a pod if it says so."""

from __future__ import annotations

from datetime import UTC, datetime

from wherry.api.core.nodes import NODES
from wherry.apiserver.admission.base import CREATE, Attributes
from wherry.apiserver.authentication.service_accounts import BOUND_KINDS, Bound
from wherry.apiserver.body import read_object
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import check_write_options
from wherry.apiserver.registry import Served
from wherry.objects.errors import (
    bad_request,
    conflict,
    invalid,
    invalid_value,
    not_found,
    too_long,
)
from wherry.objects.meta import Object, format_time, uid_of

GROUP, KIND = "authentication.k8s.io", "TokenRequest"
MIN_LIFETIME_S, MAX_LIFETIME_S, DEFAULT_LIFETIME_S = 600, 1 << 32, 3600
LONGEST_LIFETIME_S = 365 * 24 * 3600
"""What a longer request is cut down to."""


AUDIENCES_B = 32 * 1024
"""What all audiences of a token may have, with quotes and commas: a longer token fits no request's head."""


async def token(core: Core, call: Call, served: Served) -> Outcome:
    """Issue a token for the service account; 201. Raises ApiError (404, 409, 422)."""
    check_write_options(call.query, "CreateOptions")
    info = call.info
    request = await read_object(core, call, served.resource, f"{GROUP}/v1", KIND)
    cached = served.get(info.namespace, info.name)
    if cached is None:
        raise not_found("serviceaccounts", "", info.name)
    _name_after(request, info.name, info.namespace)
    spec = request.get("spec") or {}
    lifetime_s = DEFAULT_LIFETIME_S if spec.get("expirationSeconds") is None else spec["expirationSeconds"]
    request["metadata"]["creationTimestamp"] = core.timestamp()
    _check_lifetime(lifetime_s)
    attributes = Attributes.of(core, call, served, CREATE, request, None)
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)
    spec = request.get("spec") or {}
    lifetime_s = spec.get("expirationSeconds") or lifetime_s
    _check_lifetime(lifetime_s)
    bound = await _bound(core, info.namespace, info.name, spec.get("boundObjectRef"))
    audiences = spec.get("audiences") or list(core.authenticator.audiences)
    if sum(len(audience.encode()) + 3 for audience in audiences) > AUDIENCES_B:
        raise invalid(KIND, GROUP, "", [too_long("spec.audiences", AUDIENCES_B)])
    longest_s = core.config.longest_token_s or LONGEST_LIFETIME_S
    if lifetime_s > longest_s:
        call.warnings.append(f"requested expiration of {lifetime_s} seconds shortened to {longest_s} seconds")
        lifetime_s = longest_s
    text, ends = core.tokens.issue(cached.decode(), audiences, lifetime_s, bound)
    request["spec"] = {**spec, "audiences": audiences, "expirationSeconds": lifetime_s}
    request["spec"].setdefault("boundObjectRef", None)
    request["status"] = {"token": text, "expirationTimestamp": format_time(datetime.fromtimestamp(ends, UTC))}
    return Outcome(obj=request, status=201)


def _name_after(request: Object, name: str, namespace: str) -> None:
    """Give the request the account's name; one that names another is refused with ApiError (422)."""
    meta = request["metadata"]
    for field, wanted in (("name", name), ("namespace", namespace)):
        given = meta.get(field)
        if given and given != wanted:
            why = f"must match the service account {field} if specified"
            raise invalid(KIND, GROUP, name, [invalid_value(f"metadata.{field}", given, why)])
        meta[field] = wanted


def _check_lifetime(lifetime_s: int) -> None:
    """Raise ApiError (422) for a lifetime out of bounds."""
    why = ""
    if lifetime_s < MIN_LIFETIME_S:
        why = "may not specify a duration less than 10 minutes"
    elif lifetime_s > MAX_LIFETIME_S:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        raise invalid(KIND, GROUP, "", [invalid_value("spec.expirationSeconds", lifetime_s, why)])


async def _bound(core: Core, namespace: str, account: str, ref: Object | None) -> list[Bound]:
    """What the token is bound to: the object named and, for a pod, the node it runs on."""
    if not ref:
        return []
    kind = str(ref.get("kind", "")).lower()
    resource = BOUND_KINDS.get(kind)
    if resource is None or ref.get("apiVersion", "v1") != "v1":
        shown = f"{ref.get('apiVersion', '')}, Kind={ref.get('kind', '')}"
        raise bad_request(f"cannot bind token to object of type {shown}")
    served = core.registry.of(resource)
    await served.source.open()
    name = ref.get("name") or ""
    cached = served.get(namespace if resource.namespaced else "", name)
    if cached is None:
        raise not_found(resource.plural, "", name)
    obj = cached.decode()
    uid = uid_of(obj)
    if ref.get("uid") and ref["uid"] != uid:
        why = (
            f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
            f"The object might have been deleted and then recreated"
        )
        raise conflict(resource.kind, "", name, why)
    if kind != "pod":
        return [Bound(kind, name, uid)]
    spec = obj.get("spec") or {}
    if spec.get("serviceAccountName") != account:
        raise bad_request(
            f'cannot bind token for serviceaccount "{account}" '
            "to pod running with different serviceaccount name."
        )
    bound = [Bound(kind, name, uid)]
    if spec.get("nodeName"):
        node = core.registry.of(NODES).get("", spec["nodeName"])
        bound.append(Bound("node", spec["nodeName"], uid_of(node.decode()) if node is not None else ""))
    return bound
