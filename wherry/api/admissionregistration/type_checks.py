"""What the types say of a policy's expressions: `type_warnings`, told in the policy's status.

Where a policy names its resources exactly, fields of `object` and `oldObject` that their types do not have
are found before any request is. Types of custom resources and wildcards are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wherry.api import schema
from wherry.api.resource import Resource
from wherry.objects.cel import CelError
from wherry.objects.cel.checker import TYPE_NAMES, Environment
from wherry.objects.cel.types import DYN, STRING, Type, list_of, map_of
from wherry.objects.meta import Object
from wherry.objects.shape import Shape

TYPES_LIMIT = 10
"""So many types are looked at for one policy."""


class _Type(NamedTuple):
    name: str
    shape: Shape


def type_warnings(policy: Object, resources: Sequence[Resource]) -> list[Object]:
    """ExpressionWarnings of a ValidatingAdmissionPolicy; `resources` are those whose types are known."""
    return [warning for warning in warnings_one_by_one(policy, resources) if warning is not None]


def warnings_one_by_one(policy: Object, resources: Sequence[Resource]) -> Iterator[Object | None]:
    """The same, for those who let others go on between: None after each type that was looked at."""
    spec = policy.get("spec") or {}
    types = _types(spec.get("matchConstraints") or {}, resources)[:TYPES_LIMIT]
    for index, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            source = validation.get(field) or ""
            found = []
            for known in types:
                if error := undefined_fields(source, known.shape):
                    found.append(f"{known.name}: {error}")
                yield None
            if found:
                where = f"spec.validations[{index}].{field}"
                yield {"fieldRef": where, "warning": "\n".join(found)}


def _types(match: Mapping[str, Any], resources: Sequence[Resource]) -> list[_Type]:
    """The types the rules name, each once, in order of their names.

    A rule names all of its groups, versions and resources with each other, millions if it is long: so those
    that are known are looked for in it.
    """
    named = set[tuple[str, str, str]]()
    known = {(item.group, item.version, item.plural): item for item in resources if item.schema}
    for rule in match.get("resourceRules") or ():
        groups, versions, plurals = (
            frozenset(rule.get(field) or ()) for field in ("apiGroups", "apiVersions", "resources")
        )
        named.update(
            place for place in known if place[0] in groups and place[1] in versions and place[2] in plurals
        )
    return [_type(known[place]) for place in sorted(named)]


def _type(found: Resource) -> _Type:
    name = found.api_version if found.group else f"/{found.version}"
    return _Type(f"{name}, Kind={found.kind}", schema.definition(found.schema))


def undefined_fields(source: str, shape: Shape) -> str:
    """The compiler's errors for what an object of this shape cannot have, "" without any."""
    from wherry.objects.cel.expression import compile_checked, compile_expression  # loads the library

    seen = _type_of(shape)
    try:
        compile_expression(source)
    except CelError:
        return ""  # nothing that compiles; whoever writes such a policy is told
    try:
        compile_checked(source, Environment(_Typed({"object": seen, "oldObject": seen})))
    except CelError as error:
        return str(error)
    return ""


class _Typed(dict[str, Type]):
    """The variables whose types are known; all others may be anything."""

    def __contains__(self, name: object) -> bool:
        return name not in TYPE_NAMES

    def __missing__(self, _name: str) -> Type:
        return DYN


def _type_of(shape: Shape | None) -> Type:
    """What is known of the type: its fields, as deep as they are asked for."""
    if shape is None:
        return DYN
    if shape.kind == "list":
        return list_of(_type_of(shape.items()))
    if shape.kind == "map":
        return map_of(STRING, _type_of(shape.field("")))
    if shape.kind != "struct":
        return DYN

    def field(name: str) -> Type | None:
        found = shape.field(name)
        return None if found is None and not shape.allows_unknown else _type_of(found)

    return Type("object", field=field)
