"""Validation of CEL expressions in objects: `expression_errors`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from wherry.objects.cel import CelError, compile_expression
from wherry.objects.cel.kinds import kind_of
from wherry.objects.cel.scope import undeclared
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
) -> list[FieldError]:
    """What is wrong with the expression at `path`.

    `variables` are those it may name, `fields` those of the variables that have known ones; `kinds` the
    kinds of value it may have (none: any), of which `wrong_kind` tells when it has another (`{kind}`
    stands for that one); `makes_patches`: whether it may build objects and patches.
    """
    try:
        compile_expression(source)
    except CelError as error:
        text = str(error)
        is_pattern = text.startswith("program instantiation failed")
        return [invalid_value(path, source, text if is_pattern else f"compilation failed: {text}")]
    if missing := undeclared(source, variables, fields=fields, makes_patches=makes_patches):
        return [invalid_value(path, source, f"compilation failed: {missing}")]
    kind = kind_of(source)
    if not kinds or not kind or kind in kinds or any(kind == name.partition("(")[0] for name in kinds):
        return []
    return [invalid_value(path, source, (wrong_kind or _wanted(kinds)).format(kind=kind))]


def _wanted(kinds: Sequence[str]) -> str:
    if len(kinds) == 1:
        return f"must evaluate to {kinds[0]} but got {{kind}}"
    return f"must evaluate to one of [{' '.join(kinds)}] but got {{kind}}"
