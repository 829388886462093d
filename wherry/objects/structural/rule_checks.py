"""Judge rules where they are declared: `rule_declaration_errors`. Mistakes are found before any object is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from wherry.objects.cel import CelError
from wherry.objects.cel.checker import Environment
from wherry.objects.cel.cost import COST_LIMIT_OF_A_CALL
from wherry.objects.cel.types import optional_of
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.structural.bindings import escape
from wherry.objects.structural.node import RULES, Node
from wherry.objects.structural.rule_types import type_of

REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_PATH = re.compile(r"(?:\.[A-Za-z_$][\w$-]*+|\['[^']++'\])+")
_UNBOUNDED_ITEMS = 3 * 1024 * 1024 // 2  # as many as fit into a request
_WRONG_KIND = {
    "rule": "cel expression must evaluate to a bool",
    "messageExpression": "messageExpression must evaluate to a string",
}
_BREAKS = ("\n", "\r")


def rule_declaration_errors(schema: Mapping[str, Any], path: str) -> list[FieldError]:
    """What is wrong with the rules anywhere in a structural schema."""
    return list(_below(Node(schema, is_root=True), path, is_correlated=True))


def _below(node: Node, path: str, *, is_correlated: bool) -> Iterator[FieldError]:
    for index, declared in enumerate(node.rules):
        yield from _rule(declared, node, f"{path}.{RULES}[{index}]", is_correlated=is_correlated)
    for name, part in node.properties.items():
        yield from _below(part, f"{path}.properties[{name}]", is_correlated=is_correlated)
    if node.values is not None:
        yield from _below(node.values, f"{path}.additionalProperties", is_correlated=is_correlated)
    if node.item is not None:
        keyed = is_correlated and node.list_type == "map"
        yield from _below(node.item, f"{path}.items", is_correlated=keyed)


def _rule(declared: Mapping[str, Any], node: Node, path: str, *, is_correlated: bool) -> Iterator[FieldError]:
    text, message = declared.get("rule") or "", declared.get("message") or ""
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
        return
    if any(mark in message.strip() for mark in _BREAKS):
        yield invalid_value(f"{path}.message", message, "message must not contain line breaks")
    elif message and not message.strip():
        yield invalid_value(f"{path}.message", message, "message must be non-empty if specified")
    elif not message and any(mark in text.strip() for mark in _BREAKS):
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    reason = declared.get("reason")
    if reason is not None and reason not in REASONS:
        yield not_supported(f"{path}.reason", reason, REASONS)
    if (where := declared.get("fieldPath")) is not None:
        yield from _field_path(where, node, f"{path}.fieldPath")
    yield from _expression(declared, "rule", node, path, is_correlated=is_correlated)
    if declared.get("messageExpression"):
        yield from _expression(declared, "messageExpression", node, path, is_correlated=True)
    if declared.get("optionalOldSelf") is not None and "oldSelf" not in text:
        why = "may not be set if oldSelf is not used in rule"
        yield invalid_value(f"{path}.optionalOldSelf", declared["optionalOldSelf"], why)


def _field_path(where: str, node: Node, path: str) -> Iterator[FieldError]:
    if not _PATH.fullmatch(where):
        yield invalid_value(path, where, "fieldPath must be a valid path")
        return
    here: Node | None = node
    for dotted, quoted in re.findall(r"\.([^.\[]+)|\['([^']+)'\]", where):
        here = (here.properties.get(dotted or quoted) or here.values) if here is not None else None
    if here is None:
        yield invalid_value(path, where, "fieldPath must be a valid path: does not refer to a valid field")


def _expression(
    declared: Mapping[str, Any], which: str, node: Node, path: str, *, is_correlated: bool
) -> Iterator[FieldError]:
    from wherry.objects.cel.expression import compile_checked  # loads the library

    source = declared[which]
    try:
        expression = compile_checked(source, _environment(declared, node))
    except CelError as error:
        text = str(error)
        told = text if text.startswith("program instantiation failed") else f"compilation failed: {text}"
        yield invalid_value(f"{path}.{which}", dict(declared), told)
        return
    kind, wanted = expression.kind.name, "bool" if which == "rule" else "string"
    if kind not in (wanted, "dyn"):
        yield invalid_value(f"{path}.{which}", dict(declared), _WRONG_KIND[which])
        return
    if "oldSelf" in expression.names and not is_correlated:
        why = (
            "oldSelf cannot be used on the uncorrelatable portion of the schema within "
            f"{path.rpartition('.')[0]}"
        )
        yield invalid_value(f"{path}.{which}", source, why)
    cost = _most(node, expression.fields) ** expression.nesting
    if cost > COST_LIMIT_OF_A_CALL * 10_000_000:
        factor = f"{cost / COST_LIMIT_OF_A_CALL:.1f}x" if cost < 1e8 else "more than 100x"
        why = (
            f"estimated {which} cost exceeds budget by factor of {factor} (try simplifying the rule, or "
            "adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
        )
        yield FieldError("FieldValueForbidden", f"{path}.{which}", f"Forbidden: {why}")


def _most(node: Node, named: frozenset[str]) -> int:
    """How many items one loop over the value may have at most, as far as the schema limits them.

    Only fields a rule names (`named`) can be what it loops over.
    """
    if node.type == "array":
        return int(node.source.get("maxItems", _UNBOUNDED_ITEMS))
    if node.values is not None:
        return int(node.source.get("maxProperties", _UNBOUNDED_ITEMS))
    parts = (part for name, part in node.properties.items() if escape(name) in named)
    return max((_most(part, named) for part in parts), default=1)


def _environment(declared: Mapping[str, Any], node: Node) -> Environment:
    """What a rule at this schema may name."""
    seen = type_of(node)
    old = optional_of(seen) if declared.get("optionalOldSelf") else seen
    return Environment({"self": seen, "oldSelf": old}, objects=False)
