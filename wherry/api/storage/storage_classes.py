"""StorageClass: a kind of storage that volumes are made of; only its permission to grow may change."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of, bool_text
from wherry.api.core.deprecated_labels import label_message
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.storage.provisioning import changed_errors, parameter_errors, provisioner_errors
from wherry.api.validation import validate_immutable, validate_label_name
from wherry.objects.errors import FieldError, duplicate_value, not_supported, required
from wherry.objects.meta import Object, annotations_of, name_of
from wherry.objects.repeats import repeated

_SCHEMA = "io.k8s.api.storage.v1.StorageClass"
IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
WAIT_FOR_CONSUMER = "WaitForFirstConsumer"
_POLICIES = ("Delete", "Retain")
_MODES = ("Immediate", WAIT_FOR_CONSUMER)


def _default(obj: Object) -> None:
    if obj.get("reclaimPolicy") is None:
        obj["reclaimPolicy"] = "Delete"
    if obj.get("volumeBindingMode") is None:
        obj["volumeBindingMode"] = "Immediate"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    mode, policy = new.get("volumeBindingMode"), new.get("reclaimPolicy")
    if old is not None:
        errors = changed_errors(new, old, ("parameters", "provisioner", "reclaimPolicy"))
        return errors + validate_immutable("volumeBindingMode", mode, old.get("volumeBindingMode"))
    errors = provisioner_errors("provisioner", new.get("provisioner"))
    errors += parameter_errors("parameters", new.get("parameters"))
    if policy and policy not in _POLICIES:
        errors.append(not_supported("reclaimPolicy", policy, _POLICIES))
    if mode not in _MODES:
        errors.append(
            not_supported("volumeBindingMode", mode, _MODES) if mode else required("volumeBindingMode")
        )
    return errors + _topology_errors(new.get("allowedTopologies") or ())


def _topology_errors(terms: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[Hashable] = set()
    for index, term in enumerate(terms):
        path = f"allowedTopologies[{index}].matchLabelExpressions"
        wanted: dict[str, frozenset[str]] = {}
        for at, expression in enumerate(term.get("matchLabelExpressions") or ()):
            key, values = expression.get("key") or "", list(expression.get("values") or ())
            errors += _expression_errors(key, values, f"{path}[{at}]")
            if key in wanted:
                errors.append(duplicate_value(f"{path}[{at}].key", key))
            wanted[key] = frozenset(values)
        this = frozenset(wanted.items())
        if this in seen:
            errors.append(duplicate_value(path, ""))
        seen.add(this)
    return errors


def _expression_errors(key: str, values: list[str], path: str) -> list[FieldError]:
    errors = [] if values else [required(f"{path}.values")]
    errors += [duplicate_value(f"{path}.values[{index}]", value) for index, value in repeated(values)]
    return errors + validate_label_name(key, f"{path}.key")


def _warns(new: Object, _old: Object | None) -> list[str]:
    return [
        f"allowedTopologies[{index}].matchLabelExpressions[{at}].key: {said}"
        for index, term in enumerate(new.get("allowedTopologies") or ())
        for at, expression in enumerate(term.get("matchLabelExpressions") or ())
        if (said := label_message(expression.get("key") or ""))
    ]


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
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=False,
        defaults=_default,
        rules=_rules,
        row=_row,
        warns=_warns,
    ),
    columns=(
        NAME,
        Column("Provisioner", description="Who makes the volumes."),
        Column("ReclaimPolicy", description="What happens to a volume once its claim is gone."),
        Column("VolumeBindingMode", description="When volumes are made and bound."),
        Column("AllowVolumeExpansion", description="Whether volumes may grow."),
        AGE,
    ),
    also_read={IS_DEFAULT: lambda obj: "true" if is_default_class(obj) else ""},
    indexed=frozenset({IS_DEFAULT}),
    schema=_SCHEMA,
)
