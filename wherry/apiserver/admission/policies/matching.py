"""Which policies, by which of their bindings, concern a request.

What depends on resource and operation alone is decided once (`Candidate`); names and labels are looked at
for each request (`Reach.covers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes
from wherry.apiserver.admission.matching.rules import Hit, hits
from wherry.apiserver.admission.matching.selectors import Selectors
from wherry.apiserver.admission.policies.policy import Binding, Constraints, Policy


class Reach(NamedTuple):
    """How far constraints reach at one resource and operation: rules that apply, and those that take away."""

    hits: tuple[Hit, ...]
    excluded: tuple[Hit, ...]
    selectors: Selectors

    def covers(self, attributes: Attributes) -> Resource | None:
        """The version in which the request is meant, None if it is not. Raises ApiError (404)."""
        if any(_is_named(hit, attributes) for hit in self.excluded):
            return None
        found = next((hit.resource for hit in self.hits if _is_named(hit, attributes)), None)
        return found if found is not None and self.selectors.match(attributes) else None


class Bound(NamedTuple):
    """A binding and its reach."""

    binding: Binding
    reach: Reach


class Candidate(NamedTuple):
    """A policy that may concern requests of one resource and operation, with its bindings that may, too."""

    policy: Policy
    reach: Reach
    bindings: tuple[Bound, ...]


def _is_named(hit: Hit, attributes: Attributes) -> bool:
    return not hit.names or attributes.name in hit.names


def reach_of(
    constraints: Constraints | None,
    resource: Resource,
    others: Sequence[Resource],
    subresource: str,
    operation: str,
) -> Reach | None:
    """The reach of constraints, None when nothing of the kind is meant. None has no limits."""
    if constraints is None:
        return Reach((Hit(resource),), (), Selectors(None, None))
    others = others if constraints.is_equivalent else ()
    excluded = hits(constraints.excluded, resource, others, subresource, operation)
    if any(not hit.names for hit in excluded):
        return None
    found = hits(constraints.rules, resource, others, subresource, operation)
    if not constraints.rules:
        found = [Hit(resource)]
    return Reach(tuple(found), tuple(excluded), constraints.selectors) if found else None


def candidates(
    policies: Sequence[Policy],
    bindings: Sequence[Binding],
    resource: Resource,
    others: Sequence[Resource],
    subresource: str,
    operation: str,
) -> list[Candidate]:
    """The policies that are bound and may concern such requests."""
    made: list[Candidate] = []
    of_policy: dict[str, list[Binding]] = {}
    for binding in bindings:
        of_policy.setdefault(binding.policy, []).append(binding)
    for policy in policies:
        reach = reach_of(policy.constraints, resource, others, subresource, operation)
        bound = [
            Bound(binding, found)
            for binding in of_policy.get(policy.name, ())
            if (found := reach_of(binding.constraints, resource, others, subresource, operation)) is not None
        ]
        if reach is not None and bound:
            made.append(Candidate(policy, reach, tuple(bound)))
    return made
