"""x-kubernetes-validations: rules written as expressions, held over objects by `rule_errors`.

A rule that mentions `oldSelf` compares with what stood there before, so it applies to updates only, and
only where old and new can be told to be the same thing: fields, map values, items of keyed lists. What
an update did not change is not held against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wherry.kit.remembered import remembered
from wherry.objects.cel import Budget, CelCostError, CelError, compile_expression
from wherry.objects.cel.cost import COST_LIMIT_OF_A_CALL, COST_LIMIT_OF_AN_OBJECT
from wherry.objects.cel.values import NO_OVERLOAD, NOTHING, Optional
from wherry.objects.errors import FieldError, show_value
from wherry.objects.meta import Object
from wherry.objects.structural.bindings import to_cel
from wherry.objects.structural.node import Node

if TYPE_CHECKING:
    from wherry.objects.cel.expression import Expression

OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
CALL_TOO_EXPENSIVE = "no further validation rules will be run due to call cost exceeds limit for rule: "
MESSAGE_OUT_OF_BUDGET = (
    "messageExpression evaluation failed due to running out of cost budget, "
    "no further validation rules will be run"
)
MESSAGE_TOO_EXPENSIVE = (
    "no further validation rules will be run due to call cost exceeds limit for messageExpression: "
)
MESSAGE_LIMIT_B = 5 * 1024
CALLED_WRONGLY = "call arguments did not match a supported operator, function or macro signature for rule: "
UNCHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
ABSENT = object()


def unchecked() -> FieldError:
    """What is told beside other errors when the rules could not be looked at."""
    return FieldError("FieldValueInvalid", "<nil>", f'Invalid value: "null": {UNCHECKED}')


def rule_errors(new: Object, old: Object | None, root: Node) -> list[FieldError]:
    """Which rules `new` breaks. The object must be valid otherwise."""
    return list(_Check().errors(new, ABSENT if old is None else old, root, ""))


class Rule(NamedTuple):
    """One rule, compiled."""

    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str
    field_path: str
    compares: bool
    optional_old: bool


@remembered(4096)
def _compiled(
    rule: str, message: str, message_expression: str, reason: str, field_path: str, *, optional_old: bool
) -> Rule:
    expression = compile_expression(rule)
    return Rule(
        expression,
        message,
        compile_expression(message_expression) if message_expression else None,
        reason or "FieldValueInvalid",
        field_path,
        "oldSelf" in expression.names,
        optional_old,
    )


def compiled(declared: Mapping[str, Any]) -> Rule:
    """A rule as it is declared. Raises CelError when it cannot be compiled."""
    return _compiled(
        declared.get("rule") or "",
        (declared.get("message") or "").strip(),
        declared.get("messageExpression") or "",
        declared.get("reason") or "",
        declared.get("fieldPath") or "",
        optional_old=bool(declared.get("optionalOldSelf")),
    )


class _Check:
    """One pass over one object, with what it may still cost."""

    def __init__(self) -> None:
        self._left = COST_LIMIT_OF_AN_OBJECT

    def errors(self, value: Any, old: Any, node: Node, path: str) -> Iterator[FieldError]:
        if value is None or self._left < 0:
            return
        if node.rules:
            yield from self._at(value, old, node, path)
        if isinstance(value, dict):
            was = old if isinstance(old, dict) else {}
            for name, item in value.items():
                below = node.properties.get(name) or node.values
                if below is not None and below.has_rules:
                    where = f"{path}.{name}" if path else name
                    yield from self.errors(item, was.get(name, ABSENT), below, where)
        elif isinstance(value, list) and node.item is not None and node.item.has_rules:
            before = _by_key(old, node)
            for index, item in enumerate(value):
                was = before.get(_key(item, node), ABSENT)
                yield from self.errors(item, was, node.item, f"{path}[{index}]")

    def _at(self, value: Any, old: Any, node: Node, path: str) -> Iterator[FieldError]:
        is_unchanged = old is not ABSENT and old == value
        shown: Any = ABSENT
        for declared in node.rules:
            if self._left < 0:
                return
            try:
                rule = compiled(declared)
            except CelError as error:
                yield _failed(node, path, f"rule compile error: {error}")
                continue
            if rule.compares and old is ABSENT and not rule.optional_old:
                continue
            if is_unchanged and not rule.compares:
                continue
            if shown is ABSENT:
                shown = to_cel(value, node)
            variables = {"self": shown}
            if rule.compares:
                variables["oldSelf"] = _old(old, node, rule)
            yield from self._held(rule, variables, value, node, path)

    def _held(
        self, rule: Rule, variables: dict[str, Any], value: Any, node: Node, path: str
    ) -> Iterator[FieldError]:
        """Hold a rule over the value the variables show."""
        at = path + rule.field_path if path else rule.field_path.removeprefix(".")
        told = rule.message or rule.expression.source.strip()
        budget = self._budget()
        try:
            holds = rule.expression.evaluate(variables, budget)
        except CelCostError as error:
            self._left = -1
            is_own = budget.limit == COST_LIMIT_OF_A_CALL
            yield _failed(node, path, f"'{error}': {CALL_TOO_EXPENSIVE}{told}" if is_own else OUT_OF_BUDGET)
            return
        except CelError as error:
            self._left -= budget.spent
            is_overload = str(error).startswith(NO_OVERLOAD)
            yield _failed(
                node,
                path,
                f"'{error}': {CALLED_WRONGLY}{told}" if is_overload else f"{error} evaluating rule: {told}",
            )
            return
        self._left -= budget.spent
        if holds is not True:
            yield from self._broken(rule, variables, value, node, at)

    def _budget(self) -> Budget:
        return Budget(min(COST_LIMIT_OF_A_CALL, self._left))

    def _broken(
        self, rule: Rule, variables: dict[str, Any], value: Any, node: Node, path: str
    ) -> Iterator[FieldError]:
        """Say that the rule does not hold, in the words it makes itself if it does."""
        detail = rule.message or f"failed rule: {rule.expression.source.strip()}"
        if rule.message_expression is not None:
            budget = self._budget()
            try:
                made = rule.message_expression.evaluate(variables, budget)
            except CelCostError:
                self._left = -1
                is_own = budget.limit == COST_LIMIT_OF_A_CALL
                source = show_value(rule.message_expression.source)
                yield _failed(
                    node, path, f"{MESSAGE_TOO_EXPENSIVE}{source}" if is_own else MESSAGE_OUT_OF_BUDGET
                )
                return
            except CelError:
                made = None  # upstream falls back on the message, too
            self._left -= budget.spent
            if isinstance(made, str) and _is_message(made.strip()):
                detail = made.strip()
        yield _refusal(value, path or "<nil>", detail, rule.reason)


def _is_message(text: str) -> bool:
    return bool(text) and "\n" not in text and len(text.encode()) <= MESSAGE_LIMIT_B


def _old(old: Any, node: Node, rule: Rule) -> Any:
    if not rule.optional_old:
        return to_cel(old, node)
    return NOTHING if old is ABSENT else Optional(to_cel(old, node))


def _failed(node: Node, path: str, text: str) -> FieldError:
    """A rule could not be held; upstream shows the type in place of the value."""
    return FieldError(
        "FieldValueInvalid", path or "<nil>", f'Invalid value: "{node.type or "object"}": {text}'
    )


def _refusal(value: Any, path: str, detail: str, reason: str) -> FieldError:
    """A rule does not hold; the values of objects and lists are not shown."""
    shown = "" if isinstance(value, (dict, list)) else f": {show_value(value)}"
    match reason:
        case "FieldValueForbidden":
            return FieldError(reason, path, f"Forbidden: {detail}")
        case "FieldValueRequired":
            return FieldError(reason, path, f"Required value: {detail}")
        case "FieldValueDuplicate":
            return FieldError(reason, path, f"Duplicate value{shown}")
    return FieldError("FieldValueInvalid", path, f"Invalid value{shown}: {detail}")


def _by_key(old: Any, node: Node) -> dict[Any, Any]:
    if not isinstance(old, list) or node.list_type != "map":
        return {}
    return {_key(item, node): item for item in old}


def _key(item: Any, node: Node) -> Any:
    if node.list_type != "map" or not isinstance(item, dict):
        return None
    return tuple(str(item.get(key)) for key in node.list_map_keys)
