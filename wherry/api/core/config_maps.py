"""ConfigMap: configuration as key and value, text in `data`, anything (base64) in `binaryData`.

Keys are usable as file names and unique over both maps; all values together stay under a megabyte. Once
`immutable`, only deletion changes it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.core.key_values import SIZE_LIMIT_B, key_errors, locked_errors
from wherry.api.resource import Column, Resource, Strategy
from wherry.api.validation import validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, invalid_value, too_long
from wherry.objects.meta import Object, name_of

WHOLE = "[]"
"""How upstream writes the path of the object itself."""


class ConfigMapStrategy(Strategy):
    """Rules of config maps."""

    def prepare(self, new: Object, old: Object | None) -> None:
        """Nothing to drop: a config map has no status."""

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata, immutability, keys and size."""
        if old is None:
            errors = validate_object_meta(new, namespaced=True)
        else:
            errors = validate_object_meta_update(new, old)
            errors += locked_errors(new, old, ("data", "binaryData"))
        data, binary = new.get("data") or {}, new.get("binaryData") or {}
        for key in data:
            errors += key_errors(f"data[{key}]", key)
            if key in binary:
                errors.append(invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData"))
        for key in binary:
            errors += key_errors(f"binaryData[{key}]", key)
        size_b = sum(len(value.encode()) for value in data.values())
        size_b += sum(len(value) * 3 // 4 for value in binary.values())
        if size_b > SIZE_LIMIT_B:
            errors.append(too_long(WHOLE, SIZE_LIMIT_B))
        return errors

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """Name, Data, Age."""
        count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
        return [name_of(obj), count, age_of(obj, now)]


CONFIG_MAPS = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    namespaced=True,
    short_names=("cm",),
    strategy=ConfigMapStrategy(),
    columns=(NAME, Column("Data", type="string", description="Number of values in the config map."), AGE),
    schema="io.k8s.api.core.v1.ConfigMap",
)
