"""Validation of CEL expressions in objects: `expression_errors`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from wherry.objects.cel import CelError
from wherry.objects.cel.checker import Environment
from wherry.objects.cel.declarations import type_named
from wherry.objects.cel.types import DYN, Type
from wherry.objects.errors import FieldError, invalid_value


def expression_errors(
    path: str,
    source: str,
    variables: Collection[str],
    kinds: Sequence[str] = (),
    *,
    fields: Mapping[str, Collection[str]] | None = None,
    wrong_kind: str = "",
    makes_patches: bool = False,
    binds: bool = False,
) -> list[FieldError]:
    """What is wrong with the expression at `path`.

    `variables` are those it may name, `fields` those of the variables that have known ones; `kinds` the
    kinds of value it may have (none: any), of which `wrong_kind` tells when it has another (`{kind}`
    stands for that one); `makes_patches`: whether it may build objects and patches,
    `binds`: whether it may use `cel.bind`.
    """
    from wherry.objects.cel.expression import compile_checked  # loads the library

    declared = {name: _type_of(name, fields or {}) for name in variables}
    try:
        kind = compile_checked(source, Environment(declared, makes_patches, binds)).kind
    except CelError as error:
        text = str(error)
        is_pattern = text.startswith("program instantiation failed")
        return [invalid_value(path, source, text if is_pattern else f"compilation failed: {text}")]
    name = kind.name
    if (
        not kinds
        or name == "dyn"
        or name in kinds
        or any(name == wanted.partition("(")[0] for wanted in kinds)
    ):
        return []
    return [invalid_value(path, source, (wrong_kind or _wanted(kinds)).format(kind=name))]


def _type_of(name: str, fields: Mapping[str, Collection[str]]) -> Type:
    if name == "authorizer":
        return type_named("authorizer")
    if name not in fields:
        return DYN
    known = fields[name]
    return Type(name, field=lambda field: DYN if field in known else None)


def _wanted(kinds: Sequence[str]) -> str:
    if len(kinds) == 1:
        return f"must evaluate to {kinds[0]} but got {{kind}}"
    return f"must evaluate to one of [{' '.join(kinds)}] but got {{kind}}"
