"""What the types say of a policy's expressions: `type_warnings`, told in the policy's status.

Where a policy names its resources exactly, fields of `object` and `oldObject` that their types do not have
are found before any request is. Types of custom resources and wildcards are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wherry.api import schema
from wherry.api.resource import Resource
from wherry.objects.cel.tokens import Token, TokenError, closing, syntax_error, tokens_of
from wherry.objects.meta import Object
from wherry.objects.shape import Shape

TYPES_LIMIT = 10
"""So many types are looked at for one policy."""
_OBJECTS = frozenset({"object", "oldObject"})
_OPENING = {"[": "", "[?": ""}


class _Type(NamedTuple):
    name: str
    shape: Shape


def type_warnings(policy: Object, resources: Sequence[Resource]) -> list[Object]:
    """ExpressionWarnings of a ValidatingAdmissionPolicy; `resources` are those whose types are known."""
    spec = policy.get("spec") or {}
    types = list(_types(spec.get("matchConstraints") or {}, resources))[:TYPES_LIMIT]
    warnings: list[Object] = []
    for index, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            source = validation.get(field) or ""
            found = [
                f"{known.name}: {error}"
                for known in types
                if (error := undefined_fields(source, known.shape))
            ]
            if found:
                where = f"spec.validations[{index}].{field}"
                warnings.append({"fieldRef": where, "warning": "\n".join(found)})
    return warnings


def _types(match: Mapping[str, Any], resources: Sequence[Resource]) -> Iterator[_Type]:
    """The types the rules name, each once, in order of their names."""
    wanted = {
        (group, version, plural)
        for rule in match.get("resourceRules") or ()
        for group in rule.get("apiGroups") or ()
        for version in rule.get("apiVersions") or ()
        for plural in rule.get("resources") or ()
    }
    known = {(item.group, item.version, item.plural): item for item in resources if item.schema}
    for place in sorted(wanted):
        found = known.get(place)
        if found is not None:
            name = found.api_version if found.group else f"/{found.version}"
            yield _Type(f"{name}, Kind={found.kind}", schema.definition(found.schema))


def undefined_fields(source: str, shape: Shape) -> str:
    """The compiler's errors for fields that an object of this shape cannot have, "" without any."""
    try:
        tokens = [token for token in tokens_of(source) if token.kind != "space"]
        errors = [
            syntax_error(source, wrong.at, f"undefined field '{name}'")
            for wrong, name in _wrong_fields(tokens, shape)
        ]
    except TokenError:
        return ""  # nothing that compiles; whoever writes such a policy is told
    return "\n".join(errors)


def _wrong_fields(tokens: list[Token], shape: Shape) -> Iterator[tuple[Token, str]]:
    """The dots before fields nobody declared, and those fields' names."""
    for index, token in enumerate(tokens):
        is_member = index > 0 and tokens[index - 1].text in (".", ".?")
        if token.text in _OBJECTS and token.kind == "name" and not is_member:
            wrong = _wrong_field(tokens, index + 1, shape)
            if wrong is not None:
                yield wrong


def _wrong_field(tokens: list[Token], index: int, start: Shape) -> tuple[Token, str] | None:
    """Follow a chain of fields and indices as far as types are known."""
    shape: Shape | None = start
    while shape is not None and index + 1 < len(tokens):
        sign, follows = tokens[index], tokens[index + 1]
        if sign.text in _OPENING:
            index = closing(tokens, index) + 1
            shape = (
                shape.items() if shape.kind == "list" else shape.field("") if shape.kind == "map" else None
            )
        elif sign.text in (".", ".?") and follows.kind == "name":
            is_call = index + 2 < len(tokens) and tokens[index + 2].text == "("
            if is_call or shape.kind not in ("struct", "map"):
                return None
            field = shape.field(follows.text.strip("`"))
            if field is None and shape.kind == "struct":
                return sign, follows.text
            shape, index = field, index + 2
        else:
            return None
    return None
