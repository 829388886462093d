"""PolicyParams: nobody has a policy read for them what they may not read themselves.

A policy's expressions see its parameters, and tell of them in messages or in what they change. So whoever
writes a policy with a paramKind must be let read all objects of that kind, and whoever writes a binding the
ones it refers to. Upstream checks the same in its storage layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.admissionregistration.mutating_admission_policies import MUTATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.request import RequestInfo
from wherry.objects.errors import forbidden_value, invalid
from wherry.objects.meta import Object

GROUP = VALIDATING_ADMISSION_POLICIES.group
POLICIES = {item.kind: item for item in (VALIDATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICIES)}
POLICY_OF = {f"{kind}Binding": resource for kind, resource in POLICIES.items()}
ANY = "*"


class PolicyParams(BasePlugin):
    """See the module."""

    name = "PolicyParams"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource.group != GROUP or subresource or operation not in (CREATE, UPDATE):
            return False
        return resource.kind in POLICIES or resource.kind in POLICY_OF

    async def validate(self, attributes: Attributes) -> None:
        if attributes.user.is_master:
            return
        if attributes.resource.kind in POLICIES:
            self._check_policy(attributes)
        else:
            await self._check_binding(attributes)

    def _check_policy(self, attributes: Attributes) -> None:
        spec, old = _spec(attributes.obj), _spec(attributes.old)
        kind = spec.get("paramKind")
        if kind is None or kind == old.get("paramKind") or _may_read(attributes, kind, ANY, ANY):
            return
        shown = f"kind={kind.get('kind')}, apiVersion={kind.get('apiVersion')}"
        why = 'must have "get" permission on all objects of the referenced paramKind'
        _refuse(attributes, "spec.paramKind", f"{why} ({shown})")

    async def _check_binding(self, attributes: Attributes) -> None:
        spec, old = _spec(attributes.obj), _spec(attributes.old)
        ref, fields = spec.get("paramRef"), ("paramRef", "policyName")
        if ref is None or all(spec.get(field) == old.get(field) for field in fields):
            return
        served = attributes.core.registry.of(POLICY_OF[attributes.resource.kind])
        await served.source.open()
        policy = served.get("", spec.get("policyName") or "")
        kind = _spec(policy.decode() if policy is not None else None).get("paramKind")
        if policy is not None and kind is None:
            return  # the reference leads nowhere
        if not _may_read(attributes, kind, ref.get("name") or ANY, ref.get("namespace") or ANY):
            why = 'must have "get" permission on the objects paramRef refers to'
            _refuse(attributes, "spec.paramRef", why)


def _may_read(attributes: Attributes, kind: Mapping[str, Any] | None, name: str, namespace: str) -> bool:
    """Whether the user may read such an object; every object there is while the kind is not known."""
    group, version, plural = ANY, ANY, ANY
    if kind is not None:
        api_version = kind.get("apiVersion") or ""
        group, _, version = api_version.rpartition("/")
        served = attributes.core.registry.of_kind(api_version, kind.get("kind") or "")
        if served is not None:
            plural = served.resource.plural
            namespace = namespace if served.resource.namespaced else ""
    info = RequestInfo("get", "", True, group, version, namespace, plural, name)
    return attributes.core.authorizer.decide(attributes.user, info).allowed


def _spec(obj: Object | None) -> Mapping[str, Any]:
    return (obj or {}).get("spec") or {}


def _refuse(attributes: Attributes, field: str, why: str) -> None:
    resource = attributes.resource
    text = f'user "{attributes.user.name}" {why}'
    raise invalid(resource.kind, resource.group, attributes.name, [forbidden_value(field, text)])
