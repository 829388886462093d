"""ValidatingAdmissionPolicy: expressions that must hold for the object to be stored.

Every policy that concerns a request is evaluated for each of its bindings and parameters. What does not
hold is denied, warned of or noted for the audit log, as the binding says; the first denial is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.validating_admission_policy_bindings import (
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from wherry.apiserver.admission.base import Attributes, judging
from wherry.apiserver.admission.expressions.conditions import ConditionsFailed, conditions_hold
from wherry.apiserver.admission.expressions.scope import Scope
from wherry.apiserver.admission.matching.equivalents import Versions
from wherry.apiserver.admission.matching.selectors import namespace_object
from wherry.apiserver.admission.policies.plugin import Invocation, PolicyPlugin, config_error, evaluated
from wherry.apiserver.admission.policies.policy import Binding, Policy
from wherry.objects.cel import Budget, CelError
from wherry.objects.cel.cost import COST_LIMIT_OF_MATCH_CONDITIONS
from wherry.objects.errors import ApiError, forbidden

INVALID = "Invalid"
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_LONGEST_MESSAGE_B = 5 * 1024
FAILURE_KEY = "validation.policy.admission.k8s.io/validation_failure"


class Failure(NamedTuple):
    """Something that does not hold: why, the reason to be told, and which expression it was."""

    message: str
    reason: str = ""
    place: int = 0


class Denial(NamedTuple):
    """A failure that keeps the object out."""

    policy: Policy
    binding: Binding | None
    failure: Failure


class ValidatingAdmissionPolicy(PolicyPlugin):
    """See the module."""

    name = "ValidatingAdmissionPolicy"

    def __init__(self) -> None:
        super().__init__(VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS)

    async def validate(self, attributes: Attributes) -> None:
        """Evaluate every policy concerned. Raises ApiError."""
        invocations, problems = await self.concerning(attributes)
        denials = [
            Denial(problem.policy, problem.binding, Failure(config_error(problem)))
            for problem in problems
            if problem.policy.fails_closed
        ]
        versions = Versions(attributes, attributes.obj)
        notes: dict[str, list[str]] = {}
        portions = judging()
        for invocation in invocations:
            await portions.next()
            obj, old = await versions.of(invocation.resource)
            scope = Scope(
                attributes,
                invocation.resource,
                obj,
                old,
                variables=invocation.policy.variables,
                params=invocation.param,
                namespaceObject=namespace_object(attributes),
            )
            found = partial(_gathered, self._failures(invocation, scope, notes))
            for failure in await evaluated(attributes, invocation.policy, scope, found):
                denials += _act(invocation, failure, attributes)
        for key, values in notes.items():
            attributes.annotate(key, ", ".join(dict.fromkeys(values)))
        if denials:
            raise refusal(attributes, denials[0])

    def _failures(
        self, invocation: Invocation, scope: Scope, notes: dict[str, list[str]]
    ) -> Iterator[Failure]:
        """What does not hold; gathers audit annotations in `notes`."""
        policy = invocation.policy
        try:
            budget = Budget(COST_LIMIT_OF_MATCH_CONDITIONS)
            holds = conditions_hold(
                policy.conditions, scope.paid_by(budget), fails_closed=policy.fails_closed
            )
        except ConditionsFailed as error:
            yield Failure(str(error))
            return
        if not holds:
            return
        for index, validation in enumerate(policy.validations):
            failure = failure_of(validation, scope, index, fails_closed=policy.fails_closed)
            if failure is not None:
                yield failure
        for annotation in policy.audit_annotations:
            try:
                value = scope.evaluate(annotation.get("valueExpression") or "")
            except CelError as error:
                if policy.fails_closed:
                    yield Failure(str(error))
                continue
            if isinstance(value, str) and value.strip():
                notes.setdefault(f"{policy.name}/{annotation.get('key')}", []).append(value.strip())


def _gathered(failures: Iterator[Failure]) -> list[Failure]:
    return list(failures)


def failure_of(
    validation: Mapping[str, Any], scope: Scope, index: int, *, fails_closed: bool
) -> Failure | None:
    """What one validation says, None when it holds (or fails while failures are ignored)."""
    expression = validation.get("expression") or ""
    try:
        if scope.evaluate(expression) is True:
            return None
    except CelError as error:
        return Failure(str(error), "", index) if fails_closed else None
    text = (validation.get("message") or "").strip() or f"failed expression: {expression.strip()}"
    if source := validation.get("messageExpression"):
        text = _message(source, scope) or text
    return Failure(text, validation.get("reason") or INVALID, index)


def _message(source: str, scope: Scope) -> str:
    """What a messageExpression comes to, "" when it is of no use."""
    try:
        value = scope.evaluate(source)
    except CelError:
        return ""
    text = value.strip() if isinstance(value, str) else ""
    return "" if "\n" in text or len(text.encode()) > _LONGEST_MESSAGE_B else text


def _act(invocation: Invocation, failure: Failure, attributes: Attributes) -> list[Denial]:
    """Do with a failure what the binding says; a denial if it says so."""
    policy, binding = invocation.policy, invocation.binding
    denials: list[Denial] = []
    for action in binding.actions:
        match action:
            case "Deny":
                denials.append(Denial(policy, binding, failure))
            case "Warn":
                attributes.warn(
                    f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding "
                    f"'{binding.name}': {failure.message}"
                )
            case "Audit":
                note = {
                    "message": failure.message,
                    "policy": policy.name,
                    "binding": binding.name,
                    "expressionIndex": failure.place,
                    "validationActions": list(binding.actions),
                }
                attributes.annotate(FAILURE_KEY, orjson.dumps([note]).decode())
    return denials


def refusal(attributes: Attributes, denial: Denial) -> ApiError:
    """The error a denial is told as."""
    policy, binding, failure = denial
    by = f" with binding '{binding.name}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{policy.name}'{by} denied request: {failure.message}"
    resource = attributes.resource
    error = forbidden(resource.plural, resource.group, attributes.name, message)
    error.reason = failure.reason or INVALID
    error.code = _CODES.get(error.reason, 422)
    error.details["causes"] = [{"message": message}]
    return error
