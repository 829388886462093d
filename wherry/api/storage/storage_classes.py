"""StorageClass: a kind of storage that volumes are made of; only its permission to grow may change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of, bool_text
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_one_of
from wherry.objects.errors import FieldError, forbidden_value, invalid_value
from wherry.objects.meta import Object, annotations_of, name_of
from wherry.objects.names import is_qualified_name

_SCHEMA = "io.k8s.api.storage.v1.StorageClass"
IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
WAIT_FOR_CONSUMER = "WaitForFirstConsumer"
_FIXED = {
    "parameters": "updates to parameters are forbidden.",
    "provisioner": "updates to provisioner are forbidden.",
    "reclaimPolicy": "updates to reclaimPolicy are forbidden.",
    "volumeBindingMode": "updates to volumeBindingMode are forbidden.",
}


def _default(obj: Object) -> None:
    if not obj.get("reclaimPolicy"):
        obj["reclaimPolicy"] = "Delete"
    if not obj.get("volumeBindingMode"):
        obj["volumeBindingMode"] = "Immediate"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    provisioner = (new.get("provisioner") or "").lower()
    errors = (
        [invalid_value("provisioner", new["provisioner"], text) for text in is_qualified_name(provisioner)]
        if provisioner
        else []
    )
    errors += validate_one_of("reclaimPolicy", new.get("reclaimPolicy"), ("Delete", "Recycle", "Retain"))
    modes = ("Immediate", WAIT_FOR_CONSUMER)
    errors += validate_one_of("volumeBindingMode", new.get("volumeBindingMode"), modes)
    if old is not None:
        errors += [
            forbidden_value(name, why)
            for name, why in _FIXED.items()
            if (new.get(name) or None) != (old.get(name) or None)
        ]
    return errors


def is_default_class(obj: Object) -> bool:
    """Whether claims without a class get this one."""
    return annotations_of(obj).get(IS_DEFAULT) == "true"


def _row(obj: Object, now: datetime) -> list[Any]:
    name = f"{name_of(obj)} (default)" if is_default_class(obj) else name_of(obj)
    return [
        name,
        obj.get("provisioner") or "",
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "<unset>",
        bool_text(bool(obj.get("allowVolumeExpansion"))),
        age_of(obj, now),
    ]


STORAGE_CLASSES = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    namespaced=False,
    short_names=("sc",),
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=False, defaults=_default, rules=_rules, row=_row),
    columns=(
        NAME,
        Column("Provisioner", description="Who makes the volumes."),
        Column("ReclaimPolicy", description="What happens to a volume once its claim is gone."),
        Column("VolumeBindingMode", description="When volumes are made and bound."),
        Column("AllowVolumeExpansion", description="Whether volumes may grow."),
        AGE,
    ),
    schema=_SCHEMA,
)
