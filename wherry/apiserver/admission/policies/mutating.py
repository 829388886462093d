"""MutatingAdmissionPolicy: changes to objects, written as expressions.

Policies in order of their names, each evaluated on what those before it made of the object. One that
wishes it (`reinvocationPolicy`) is evaluated again when somebody later changed the object (`rounds`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from wherry.api.admissionregistration.mutating_admission_policies import MUTATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.mutating_admission_policy_bindings import (
    MUTATING_ADMISSION_POLICY_BINDINGS,
)
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes, judging
from wherry.apiserver.admission.changes import before_storing, take_over
from wherry.apiserver.admission.expressions.conditions import ConditionsFailed, conditions_hold
from wherry.apiserver.admission.expressions.scope import Scope
from wherry.apiserver.admission.matching.equivalents import Versions
from wherry.apiserver.admission.matching.selectors import namespace_object
from wherry.apiserver.admission.policies.mutations import MutationFailed, mutated
from wherry.apiserver.admission.policies.plugin import Invocation, PolicyPlugin, config_error, evaluated
from wherry.apiserver.admission.policies.policy import Binding, Policy
from wherry.apiserver.admission.rounds import Rounds
from wherry.objects.cel import Budget, CelError
from wherry.objects.cel.cost import COST_LIMIT_OF_AN_OBJECT, COST_LIMIT_OF_MATCH_CONDITIONS
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object

INVALID = "Invalid"


class MutatingAdmissionPolicy(PolicyPlugin):
    """See the module."""

    name = "MutatingAdmissionPolicy"

    def __init__(self) -> None:
        super().__init__(MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS)

    async def admit(self, attributes: Attributes) -> None:
        """Let every policy concerned change the object. Raises ApiError (403)."""
        if attributes.obj is None:
            return
        invocations, problems = await self.concerning(attributes)
        errors = [
            (_denied(problem.policy, problem.binding, config_error(problem)), "")
            for problem in problems
            if problem.policy.fails_closed
        ]
        if attributes.rounds is None:
            attributes.rounds = Rounds()
        rounds = attributes.rounds
        askings = rounds.of(self.name)
        askings.begin(attributes.obj, is_second=rounds.is_second)
        portions = judging()
        for invocation in invocations:
            await portions.next()
            if not askings.wants(invocation.uid, is_second=rounds.is_second):
                continue
            try:
                changed = await self._mutate(invocation, attributes)
            except (MutationFailed, ConditionsFailed, CelError, ApiError) as error:
                if invocation.policy.fails_closed:
                    why = error.message if isinstance(error, ApiError) else str(error)
                    errors.append((_denied(invocation.policy, invocation.binding, why), INVALID))
                continue
            if changed:
                askings.changed()
                rounds.wants_second = True
            if invocation.policy.is_reinvoked:
                askings.asked(invocation.uid)
        askings.end(attributes.obj)
        if errors:
            raise _refusal(attributes, errors)

    async def _mutate(self, invocation: Invocation, attributes: Attributes) -> bool:
        """Evaluate one policy's mutations; whether that changed the object. Raises as `admit` catches."""
        policy, resource = invocation.policy, invocation.resource
        budget = Budget(COST_LIMIT_OF_AN_OBJECT)
        namespace = namespace_object(attributes)
        has_changed = False
        for mutation in policy.mutations:
            obj, old = await Versions(attributes, before_storing(attributes)).of(resource)
            if obj is None:
                return has_changed
            scope = Scope(
                attributes,
                resource,
                obj,
                old,
                variables=policy.variables,
                budget=budget,
                params=invocation.param,
                namespaceObject=namespace,
            )
            work = partial(_made, policy, mutation, scope, obj, resource, is_first=not has_changed)
            made = await evaluated(attributes, policy, scope, work)
            if made is None:
                return False
            if made is not obj:
                has_changed |= await take_over(attributes, resource, made)
        return has_changed


def _made(
    policy: Policy,
    mutation: Mapping[str, Any],
    scope: Scope,
    obj: Object,
    resource: Resource,
    *,
    is_first: bool,
) -> Object | None:
    """The object after a mutation; None if the policy's conditions do not hold, which are asked at first."""
    if is_first:
        conditions = scope.paid_by(Budget(COST_LIMIT_OF_MATCH_CONDITIONS))
        if not conditions_hold(policy.conditions, conditions, fails_closed=policy.fails_closed):
            return None
    return mutated(mutation, scope, obj, resource)


def _denied(policy: Policy, binding: Binding | None, why: str) -> str:
    if binding is None:
        return f'policy "{policy.name}" denied request: {why}'
    return f"policy '{policy.name}' with binding '{binding.name}' denied request: {why}"


def _refusal(attributes: Attributes, errors: list[tuple[str, str]]) -> ApiError:
    resource = attributes.resource
    error = forbidden(resource.plural, resource.group, attributes.name, "admission request denied by policy")
    message, reason = errors[0]
    error.message = message
    error.reason = reason or error.reason
    error.details["causes"] = [{"message": text} for text, _ in errors]
    return error
