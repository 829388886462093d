"""RBACEscalation: nobody grants what they do not have.

Whoever writes a role must hold all its permissions or have the verb `escalate` on it; whoever binds
one must hold them too or have the verb `bind`. Upstream checks the same in its storage layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.authorization.coverage import MOST_TOGETHER, Held, Missing, TooManyBlocks
from wherry.apiserver.authorization.rules import EVERYTHING, show_rule
from wherry.apiserver.beside import LARGE, beside
from wherry.apiserver.request import RequestInfo
from wherry.objects.errors import ApiError, forbidden, not_found
from wherry.objects.meta import Object

API_GROUP = "rbac.authorization.k8s.io"
# By what is stored, so that every version of them is guarded.
ROLE_KINDS = frozenset({ROLES.storage_key, CLUSTER_ROLES.storage_key})
BINDING_KINDS = frozenset({ROLE_BINDINGS.storage_key, CLUSTER_ROLE_BINDINGS.storage_key})
HOUSEKEEPING = frozenset({"ownerReferences", "finalizers", "managedFields", "resourceVersion"})
"""Metadata that is changed to get rid of an object, or by every write."""
FEW_VALUES = 1000
"""Names, verbs and so on in rules: fewer are compared at once, more beside the loop."""
FEW_STEPS = 20_000
"""Comparisons done at once, two milliseconds."""
MOST_SHOWN = 100
"""Lines of a refusal: upstream shows them all, however many."""
ATTEMPT = "is attempting to grant RBAC permissions"


class RbacEscalation(BasePlugin):
    """See the module."""

    name = "RBACEscalation"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return operation in (CREATE, UPDATE) and resource.storage_key in ROLE_KINDS | BINDING_KINDS

    async def validate(self, attributes: Attributes) -> None:
        obj, old = attributes.obj or {}, attributes.old or {}
        if attributes.user.is_master:
            return
        if old and _without_housekeeping(obj) == _without_housekeeping(old):
            return
        if attributes.resource.storage_key in ROLE_KINDS:
            if not _may(attributes, "escalate", attributes.resource.plural, attributes.name):
                gathers = any(role.get("aggregationRule") is not None for role in (obj, old))
                rules = EVERYTHING if gathers else obj.get("rules") or []
                await _refuse_uncovered(attributes, rules)
            return
        ref = obj.get("roleRef") or {}
        plural = "clusterroles" if ref.get("kind") == "ClusterRole" else "roles"
        if _may(attributes, "bind", plural, ref.get("name", "")):
            return
        rbac = attributes.core.authorizer.rbac
        found = rbac.rules_of_role(ref.get("kind", ""), attributes.namespace, ref.get("name", ""))
        if found is None:
            raise not_found(plural, API_GROUP, ref.get("name", ""))
        await _refuse_uncovered(attributes, found)


def _without_housekeeping(obj: Object) -> Object:
    """What of a role or binding may grant something. Labels may: roles are gathered by them."""
    kept = {name: value for name, value in obj["metadata"].items() if name not in HOUSEKEEPING}
    return {**obj, "metadata": kept}


def _may(attributes: Attributes, verb: str, plural: str, name: str) -> bool:
    info = RequestInfo(verb, "", True, API_GROUP, "v1", attributes.namespace, plural, name)
    return attributes.core.authorizer.decide(attributes.user, info).allowed


async def _refuse_uncovered(attributes: Attributes, rules: Sequence[Object]) -> None:
    """Raise ApiError (403) when the user does not hold all of `rules`."""
    user = attributes.user
    held = await attributes.core.authorizer.rules_for(user, attributes.namespace)
    try:
        lines = await _compared(attributes, held, rules)
    except TooManyBlocks:
        raise _refused(
            attributes, f"{ATTEMPT} that cannot be compared with those held: split the rules up"
        ) from None
    if lines:
        groups = " ".join(f'"{group}"' for group in user.groups)
        why = f'user "{user.name}" (groups=[{groups}]) {ATTEMPT} not currently held:\n'
        raise _refused(attributes, why + "\n".join(lines))


async def _compared(
    attributes: Attributes, held: Sequence[Sequence[Object]], rules: Sequence[Object]
) -> list[str]:
    """What of `rules` is not held. Much is compared beside the loop. Raises TooManyBlocks."""
    call = attributes.call
    if call is None:
        return _missing_lines(held, rules, MOST_TOGETHER)
    if all(_are_few(some) for some in (*held, rules)) and len(held) < FEW_VALUES:
        with suppress(TooManyBlocks):
            return _missing_lines(held, rules, FEW_STEPS)
    return await beside(attributes.core, call, lambda: _missing_lines(held, rules, MOST_TOGETHER), LARGE)


def _are_few(rules: Sequence[Object]) -> bool:
    if len(rules) > FEW_VALUES:
        return False
    return sum(len(values) for rule in rules for values in rule.values()) <= FEW_VALUES


def _refused(attributes: Attributes, why: str) -> ApiError:
    resource = attributes.resource
    return forbidden(resource.plural, resource.group, attributes.name, why)


def _missing_lines(held: Sequence[Sequence[Object]], rules: Sequence[Object], most_steps: int) -> list[str]:
    """What is not held, a line per resource or URL, sorted, `MOST_SHOWN` of them. Raises TooManyBlocks."""
    index = Held(chain.from_iterable(held), most_steps)
    verbs: dict[Missing, dict[str, None]] = {}
    for part in chain.from_iterable(map(index.missing, rules)):
        verbs.setdefault(part._replace(verbs=()), {}).update(dict.fromkeys(part.verbs))
        if len(verbs) > MOST_SHOWN:
            break
    shown = list(verbs.items())[:MOST_SHOWN]
    lines = sorted(show_rule(part._replace(verbs=tuple(names)).rule()) for part, names in shown)
    return [*lines, "and more"] if len(verbs) > MOST_SHOWN else lines
