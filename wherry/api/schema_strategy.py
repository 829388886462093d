"""The strategy of kinds that need little beyond their schema: `SchemaStrategy`.

It validates metadata and what the schema requires, keeps status apart, counts the generation, and
takes small functions for the rest: defaults, further rules, a table row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wherry.api.generation import count_generation
from wherry.api.resource import Strategy
from wherry.api.schema import definition, required_and_enum_errors
from wherry.api.validation import (
    DNS_SUBDOMAIN,
    NameRule,
    validate_immutable,
    validate_object_meta,
    validate_object_meta_update,
    value_at,
)
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object


@dataclass(frozen=True, eq=False, kw_only=True)
class SchemaStrategy(Strategy):
    """Rules of one kind.

    `schema` names its definition. `immutable` are paths (`spec.selector`) that may not change.
    `is_complete` says that `rules` judge every field, so that the schema has nothing to add.
    `has_status` says that status has a subresource of its own; `tracks_generation` that
    metadata.generation counts changes. `defaults` fills an object, `prepares` adds to `prepare`,
    `prepares_status` to `prepare_status`, `rules` adds errors to those of the schema, `status_rules` those of
    a written status, `row` gives the table's cells, `warns` texts for the client, `stamps` sets times.
    `status_resets`, `weight_factor` and `orphans_by_default` are as in `Strategy`.
    """

    schema: str
    namespaced: bool
    name_rule: NameRule = DNS_SUBDOMAIN
    has_status: bool = False
    tracks_generation: bool = False
    creates_on_update: bool = False
    unconditional_update: bool = True
    orphans_by_default: bool = False
    weight_factor: int = 1
    status_resets: tuple[str, ...] = ("spec",)
    immutable: tuple[str, ...] = ()
    is_complete: bool = False
    defaults: Callable[[Object], None] | None = None
    prepares: Callable[[Object, Object | None], None] | None = None
    prepares_status: Callable[[Object, Object], None] | None = None
    stamps: Callable[[Object, Object | None, str], None] | None = None
    rules: Callable[[Object, Object | None], list[FieldError]] | None = None
    status_rules: Callable[[Object, Object], list[FieldError]] | None = None
    row: Callable[[Object, datetime], list[Any]] | None = field(default=None)
    warns: Callable[[Object, Object | None], list[str]] | None = field(default=None)

    def default(self, obj: Object) -> None:
        """Fill in through `defaults`."""
        if self.defaults is not None:
            self.defaults(obj)

    def prepare(self, new: Object, old: Object | None) -> None:
        """Keep status apart, count the generation."""
        if self.has_status:
            super().prepare(new, old)
        if self.prepares is not None:
            self.prepares(new, old)
        if self.tracks_generation:
            count_generation(new, old)

    def prepare_status(self, new: Object, old: Object) -> None:
        """Put back what a write of status may not change, and what `prepares_status` does."""
        super().prepare_status(new, old)
        if self.prepares_status is not None:
            self.prepares_status(new, old)

    def stamp(self, new: Object, old: Object | None, now: str) -> None:
        """Set times through `stamps`."""
        if self.stamps is not None:
            self.stamps(new, old, now)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata, immutable fields, the kind's own rules, and the schema where these said nothing."""
        if old is None:
            errors = validate_object_meta(new, self.namespaced, self.name_rule)
        else:
            errors = validate_object_meta_update(new, old)
            for path in self.immutable:
                errors += validate_immutable(path, value_at(new, path), value_at(old, path))
        if self.rules is not None:
            errors += self.rules(new, old)
        if self.is_complete:
            return errors
        told = {error.field for error in errors}
        plain = required_and_enum_errors(new, definition(self.schema))
        return errors + [error for error in plain if error.field not in told]

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """Metadata, as on every update, and the kind's own rules of a status."""
        errors = validate_object_meta_update(new, old)
        return errors + self.status_rules(new, old) if self.status_rules is not None else errors

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        """Texts from `warns`."""
        return self.warns(new, old) if self.warns is not None else []

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """The row, name and age unless `row` knows better."""
        return self.row(obj, now) if self.row is not None else super().cells(obj, now)
