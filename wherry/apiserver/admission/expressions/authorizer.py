"""The variable `authorizer` of expressions: may the user (or a service account) do this or that?

    authorizer.group('apps').resource('deployments').namespace('a').check('create').allowed()
    authorizer.path('/healthz').check('get').reason()
    authorizer.serviceAccount('default', 'sa').requestResource.check('delete').allowed()

Values the language does not know are maps with one tagged entry, as elsewhere in this project's CEL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wherry.apiserver.admission.base import Attributes
from wherry.apiserver.authorization.base import Decision
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User, service_account_user
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

_WHO, _CHECK, _PATH, _DECISION = "$authorizer", "$resourceCheck", "$pathCheck", "$decision"
_ASKED = ("group", "version", "namespace", "resource", "name", "subresource")


def authorizer_value(attributes: Attributes) -> dict[str, Any]:
    """The variable's value for one request."""
    resource = attributes.resource
    asked = {
        "who": "",
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
        "subresource": attributes.subresource,
        "namespace": attributes.namespace,
        "name": attributes.name,
    }
    return {_WHO: "", "requestResource": {_CHECK: asked}}


def authorizer_functions(attributes: Attributes) -> Mapping[str, Callable[..., Any]]:
    """What can be called on the variable, and on what comes of that."""
    user = attributes.user

    def decide(who: str, info: RequestInfo) -> dict[str, Any]:
        subject = _account(who) if who else user
        try:
            decision = attributes.core.authorizer.decide(subject, info)
        except ValueError as error:
            return {_DECISION: {"allowed": False, "reason": "", "error": str(error)}}
        return {_DECISION: {**_told(decision), "error": ""}}

    def check(asked: Mapping[str, Any], verb: str) -> dict[str, Any]:
        if _PATH in asked:
            path = asked[_PATH]
            return decide(path["who"], RequestInfo(verb, path["path"], False))
        wanted = asked[_CHECK]
        values = (wanted.get(field, "") for field in _ASKED)
        info = RequestInfo(verb, "", True, *values)
        return decide(wanted["who"], info)

    return {"check": check, **_PURE}


def _told(decision: Decision) -> dict[str, Any]:
    return {"allowed": decision.allowed, "reason": decision.reason}


def _account(who: str) -> User:
    namespace, _, name = who.partition(":")
    return service_account_user(namespace, name)


def _service_account(value: Mapping[str, Any], namespace: str, name: str) -> dict[str, Any]:
    if dns1123_label_errors(namespace):
        raise ValueError("Invalid service account namespace")
    if dns1123_subdomain_errors(name):
        raise ValueError("Invalid service account name")
    who = f"{namespace}:{name}"
    asked = {**value["requestResource"][_CHECK], "who": who}
    return {_WHO: who, "requestResource": {_CHECK: asked}}


def _path(value: Mapping[str, Any], path: str) -> dict[str, Any]:
    if not path:
        raise ValueError("path must not be empty")
    return {_PATH: {"who": value[_WHO], "path": path}}


def _group(value: Mapping[str, Any], group: str) -> dict[str, Any]:
    return {_CHECK: {"who": value[_WHO], "group": group, "version": "*"}}


def _with(field: str) -> Callable[[Mapping[str, Any], str], dict[str, Any]]:
    return lambda value, text: {_CHECK: {**value[_CHECK], field: text}}


def _of_decision(read: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda value: read(value[_DECISION])


_PURE: Mapping[str, Callable[..., Any]] = {
    "serviceAccount": _service_account,
    "path": _path,
    "group": _group,
    **{
        field: _with(field)
        for field in ("resource", "subresource", "namespace", "name", "fieldSelector", "labelSelector")
    },
    "allowed": _of_decision(lambda decision: decision["allowed"]),
    "reason": _of_decision(lambda decision: decision["reason"]),
    "errored": _of_decision(lambda decision: bool(decision["error"])),
    "error": _of_decision(lambda decision: decision["error"]),
}
