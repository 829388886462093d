"""How custom resources are written: `CustomStrategy`, the rules of one version of one kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from wherry.api.apiextensions.custom_kind import CustomKind, ScalePaths, value_at
from wherry.api.generation import ABOUT, count_generation
from wherry.api.resource import Strategy, restore
from wherry.api.validation import validate_object_meta, validate_object_meta_update
from wherry.api.validation.object_meta import STANDARD_FINALIZERS
from wherry.apiserver.beside import LARGE
from wherry.apiserver.customresources.columns import Cells
from wherry.objects.cel.cost import may_take_long
from wherry.objects.errors import FieldError, TooLargeToStore, invalid_value, required
from wherry.objects.meta import Object
from wherry.objects.structural import TooManyDefaults, apply_defaults, value_errors
from wherry.objects.structural.node import Node
from wherry.objects.structural.values import NOWHERE

_REPLICAS_MAX = (1 << 31) - 1


class CustomStrategy(Strategy):
    """Defaults, pruning and validation by schema; status apart if the version has that subresource."""

    unconditional_update = False
    status_resets = ("spec", "metadata")

    def __init__(self, kind: CustomKind, cells: Cells, *, namespaced: bool, has_status: bool) -> None:
        self._kind = kind
        self._cells = cells
        self._namespaced = namespaced
        self._has_status = has_status

    @cached_property
    def weight_factor(self) -> int:  # type: ignore[override]
        """A rule with loops in loops may take its whole budget on a few bytes."""
        root = self._kind.root
        return LARGE if root.has_rules and may_take_long(_rules_in(root)) else 1

    @cached_property
    def row_factor(self) -> int:  # type: ignore[override]
        """Each column goes through the object on its own."""
        return min(self._cells.factor, LARGE)

    def default(self, obj: Object) -> None:
        """Fill in the schema's defaults. Raises TooLargeToStore when they come to too much."""
        try:
            apply_defaults(obj, self._kind.root)
        except TooManyDefaults as error:
            raise TooLargeToStore from error

    def prepare(self, new: Object, old: Object | None) -> None:
        """Keep status apart if it has a subresource, count the generation."""
        if self._has_status:
            super().prepare(new, old)
        apart = ABOUT | {"status"} if self._has_status else ABOUT
        count_generation(new, old, apart=apart)

    def prepare_status(self, new: Object, old: Object) -> None:
        """Keep everything but status as stored: whatever other top-level fields the kind has, too."""
        metadata, status = new["metadata"], new.get("status")
        new.clear()
        new.update({**old, "metadata": metadata})
        restore(new, old, "metadata")
        if status is None:
            new.pop("status", None)
        else:
            new["status"] = status

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata, then the schema, then its expression rules."""
        if old is None:
            errors = validate_object_meta(new, self._namespaced)
        else:
            errors = validate_object_meta_update(new, old)
        return errors + self._schema_errors(new, old)

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """Finalizers without a path are taken, but advised against."""
        known = (
            set((old["metadata"].get("finalizers") if old is not None else None) or ()) | STANDARD_FINALIZERS
        )
        return [
            f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name '
            f"including a path (/) to "
            "avoid accidental conflicts with other finalizer writers"
            for name in new["metadata"].get("finalizers") or ()
            if "/" not in name and name not in known
        ]

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """As for the object itself: the schema of status is part of the whole."""
        return validate_object_meta_update(new, old) + self._schema_errors(new, old)

    def _schema_errors(self, new: Object, old: Object | None) -> list[FieldError]:
        root = self._kind.root
        errors = value_errors(new, root)
        if errors and old is not None:
            # What was wrong already and was not touched does not stand in the way of other changes.
            known = {error for error in value_errors(old, root) if error.field != NOWHERE}
            errors = [error for error in errors if error not in known]
        if self._kind.scale is not None:
            errors += scale_errors(new, self._kind.scale)
        if root.has_rules:
            from wherry.objects.structural.rules import rule_errors, unchecked

            errors += [unchecked()] if errors else rule_errors(new, old, root)
        return errors

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """The declared columns."""
        return self._cells.of(obj, now)


def _rules_in(root: Node) -> Iterator[str]:
    """The expressions in a schema."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for rule in node.rules:
            yield str(rule.get("rule") or "")
            yield str(rule.get("messageExpression") or "")
        below = (*node.properties.values(), node.values, node.item)
        waiting.extend(part for part in below if part is not None and part.has_rules)


def scale_errors(obj: Object, paths: ScalePaths) -> list[FieldError]:
    """What would keep the Scale of `obj` from being shown."""
    errors: list[FieldError] = []
    for path in (paths.spec_replicas, paths.status_replicas):
        value = value_at(obj, path)
        field = ".".join(path)
        if value is None or not isinstance(value, int) or isinstance(value, bool):
            continue
        if value < 0:
            errors.append(invalid_value(field, value, "should be a non-negative integer"))
        elif value > _REPLICAS_MAX:
            why = f"should be less than or equal to {_REPLICAS_MAX}"
            errors.append(invalid_value(field, value, why))
    if paths.selector and not isinstance(value_at(obj, paths.selector), str | None):
        errors.append(required(".".join(paths.selector), "must be of type string"))
    return errors
