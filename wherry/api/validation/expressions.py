"""Validation of CEL expressions in objects: `expression_errors`."""

from __future__ import annotations

from collections.abc import Collection

from wherry.objects.cel import CelError, compile_expression
from wherry.objects.cel.kinds import kind_of
from wherry.objects.cel.scope import undeclared
from wherry.objects.errors import FieldError, invalid_value


def expression_errors(
    path: str,
    source: str,
    variables: Collection[str],
    kinds: Collection[str] = (),
    *,
    wrong_kind: str = "",
    makes_patches: bool = False,
) -> list[FieldError]:
    """What is wrong with the expression at `path`.

    `variables` are those it may name; `kinds` the kinds of value it may have (none: any), of which
    `wrong_kind` tells when it has another (`{kind}` stands for that one); `makes_patches`: whether it may
    build objects and patches.
    """
    try:
        compile_expression(source)
    except CelError as error:
        text = str(error)
        is_pattern = text.startswith("program instantiation failed")
        return [invalid_value(path, source, text if is_pattern else f"compilation failed: {text}")]
    if missing := undeclared(source, variables, makes_patches=makes_patches):
        return [invalid_value(path, source, f"compilation failed: {missing}")]
    kind = kind_of(source)
    if kinds and kind and kind not in kinds:
        return [invalid_value(path, source, wrong_kind.format(kind=kind))]
    return []
