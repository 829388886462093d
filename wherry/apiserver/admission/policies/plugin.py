"""What both policy plugins share: following policies and bindings, and what of them concerns a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import REVIEW_GROUPS, Attributes, BasePlugin, done_beside, judging
from wherry.apiserver.admission.expressions.scope import Scope
from wherry.apiserver.admission.following import Followed
from wherry.apiserver.admission.matching.equivalents import equivalents
from wherry.apiserver.admission.matching.rules import is_exempt
from wherry.apiserver.admission.policies.matching import Candidate, candidates
from wherry.apiserver.admission.policies.params import ParamsProblem, params_of, params_resource
from wherry.apiserver.admission.policies.policy import Binding, Policy, binding_of, policy_of
from wherry.apiserver.admission.remembered import Remembered
from wherry.apiserver.beside import LARGE
from wherry.apiserver.parts import Parts
from wherry.apiserver.user import BOOTSTRAP
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of

T = TypeVar("T")


class Invocation(NamedTuple):
    """A policy to be evaluated with one parameter (None: without), objects in the version `resource`."""

    policy: Policy
    binding: Binding
    resource: Resource
    param: Object | None

    @property
    def uid(self) -> str:
        """Tells it from other invocations in one request."""
        param = self.param or {}
        return "/".join((self.policy.name, self.binding.name, namespace_of(param), name_of(param)))


class Misconfigured(NamedTuple):
    """A policy (or its binding, if that is named) that concerns the request but cannot be evaluated."""

    policy: Policy
    binding: Binding | None
    why: str


class PolicyPlugin(BasePlugin):
    """Follows the policies and bindings of one kind."""

    def __init__(self, policies: Resource, bindings: Resource) -> None:
        self._policies = Followed(policies, policy_of)
        self._bindings = Followed(bindings, binding_of)
        self._found = Remembered(self._find_candidates)
        self._core: Parts | None = None

    async def start(self, core: Parts, changed: Callable[[], None]) -> None:
        """Follow policies and bindings. Raises ApiError (503)."""
        self._core = core

        def renew() -> None:
            self._found.clear()
            changed()

        await self._policies.start(core, renew)
        await self._bindings.start(core, renew)

    def close(self) -> None:
        """Follow no more."""
        self._policies.close()
        self._bindings.close()

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return bool(self._candidates(resource, subresource, operation))

    def _candidates(self, resource: Resource, subresource: str, operation: str) -> tuple[Candidate, ...]:
        core = self._core
        if core is None or is_exempt(resource) or resource.group in REVIEW_GROUPS:
            return ()
        return self._found.about(core.registry, resource, subresource, operation)

    def _find_candidates(self, resource: Resource, subresource: str, operation: str) -> tuple[Candidate, ...]:
        core = self._core
        if core is None:
            return ()
        others = equivalents(core.registry, resource, subresource)
        policies, bindings = self._policies.in_order(), self._bindings.in_order()
        return tuple(candidates(policies, bindings, resource, others, subresource, operation))

    async def concerning(self, attributes: Attributes) -> tuple[list[Invocation], list[Misconfigured]]:
        """What is to be evaluated for a request, in order of names; nothing while the server starts."""
        made: list[Invocation] = []
        problems: list[Misconfigured] = []
        if attributes.user is BOOTSTRAP:
            return made, problems
        found = self._candidates(attributes.resource, attributes.subresource, attributes.operation)
        portions = judging()
        for policy, reach, bindings in found:
            await portions.next()
            try:
                resource = reach.covers(attributes)
                if resource is None:
                    continue
                served = params_resource(policy, attributes)
            except (ApiError, ParamsProblem) as error:
                problems.append(Misconfigured(policy, None, _told(error)))
                continue
            for binding, binding_reach in bindings:
                await portions.next()
                try:
                    if binding_reach.covers(attributes) is None:
                        continue
                    params = await params_of(served, binding, attributes)
                    made.extend(Invocation(policy, binding, resource, param) for param in params)
                except (ApiError, ParamsProblem) as error:
                    problems.append(Misconfigured(policy, binding, _told(error)))
        return made, problems


async def evaluated(attributes: Attributes, policy: Policy, scope: Scope, work: Callable[[], T]) -> T:
    """What `work` makes of the policy's expressions in `scope`; beside the loop if that may take long."""
    scope.asks_loop(asyncio.get_running_loop())
    return await done_beside(attributes, work, LARGE if policy.may_take_long else 0)


def _told(error: Exception) -> str:
    return error.message if isinstance(error, ApiError) else str(error)


def config_error(problem: Misconfigured) -> str:
    """What is told of a policy that cannot be evaluated."""
    return f"failed to configure {'policy' if problem.binding is None else 'binding'}: {problem.why}"
