"""The parameters of a policy: objects of its paramKind, picked by each binding's paramRef."""

from __future__ import annotations

from wherry.apiserver.admission.base import Attributes
from wherry.apiserver.admission.policies.policy import Binding, Policy
from wherry.apiserver.registry import Served
from wherry.objects.meta import Object
from wherry.objects.selectors import from_label_selector

NONE_FOUND = "no params found for policy binding with `Deny` parameterNotFoundAction"


class ParamsProblem(Exception):
    """The parameters cannot be had; says why."""


def params_resource(policy: Policy, attributes: Attributes) -> Served | None:
    """What serves the policy's paramKind, None if it has none. Raises ParamsProblem."""
    kind = policy.param_kind
    if kind is None:
        return None
    api_version = kind.get("apiVersion") or ""
    served = attributes.core.registry.of_kind(api_version, kind.get("kind") or "")
    if served is None:
        shown = api_version if "/" in api_version else f"/{api_version}"
        raise ParamsProblem(
            f"failed to find resource referenced by paramKind: '{shown}, Kind={kind.get('kind')}'"
        )
    return served


async def params_of(served: Served | None, binding: Binding, attributes: Attributes) -> list[Object | None]:
    """The objects to evaluate the policy with, one after the other; [None] if it has no parameters.

    An empty list says that there are none, and that this is fine. Raises ParamsProblem, ApiError (503).
    """
    ref = binding.param_ref
    if served is None or ref is None:
        return [None]
    namespace = ref.get("namespace") or ""
    if not served.resource.namespaced and namespace:
        raise ParamsProblem("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    if served.resource.namespaced:
        namespace = namespace or attributes.namespace
        if not namespace:
            raise ParamsProblem(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
    await served.source.open()
    if name := ref.get("name"):
        cached = served.get(namespace, name)
        found: list[Object | None] = [served.decode(cached)] if cached is not None else []
    elif ref.get("selector") is not None:
        selector = from_label_selector(ref["selector"])
        matching = served.cacher.list(namespace, match=lambda cached: selector.matches(cached.labels))[0]
        found = [served.decode(cached) for cached in matching]
    else:
        raise ParamsProblem("one of name or selector must be provided")
    if not found and ref.get("parameterNotFoundAction") == "Deny":
        raise ParamsProblem(NONE_FOUND)
    return found
