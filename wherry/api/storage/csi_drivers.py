"""CSIDriver: what a storage driver can do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, UNSET, age_of, bool_text
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_one_of
from wherry.objects.errors import FieldError, not_supported
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.storage.v1.CSIDriver"
_MODES = ("Ephemeral", "Persistent")
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    for name, value in (
        ("attachRequired", True),
        ("podInfoOnMount", False),
        ("storageCapacity", False),
        ("fsGroupPolicy", "ReadWriteOnceWithFSType"),
        ("requiresRepublish", False),
        ("seLinuxMount", False),
    ):
        if spec.get(name) is None:
            spec[name] = value
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = [
        not_supported("spec.volumeLifecycleModes", mode, _MODES)
        for mode in spec.get("volumeLifecycleModes") or ()
        if mode not in _MODES
    ]
    return errors + validate_one_of("spec.fsGroupPolicy", spec.get("fsGroupPolicy"), _GROUP_POLICIES)


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        name_of(obj),
        bool_text(spec.get("attachRequired") is not False),
        bool_text(bool(spec.get("podInfoOnMount"))),
        bool_text(bool(spec.get("storageCapacity"))),
        ",".join(request.get("audience") or "" for request in spec.get("tokenRequests") or ()) or UNSET,
        bool_text(bool(spec.get("requiresRepublish"))),
        ",".join(spec.get("volumeLifecycleModes") or ()) or "<none>",
        age_of(obj, now),
    ]


CSI_DRIVERS = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        immutable=("spec.attachRequired", "spec.volumeLifecycleModes"),
        defaults=_default,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("AttachRequired", "boolean", description="Whether volumes are attached before mounting."),
        Column("PodInfoOnMount", "boolean", description="Whether the driver is told about the pod."),
        Column(
            "StorageCapacity", "boolean", description="Whether the driver tells how much storage is left."
        ),
        Column("TokenRequests", description="Audiences of the tokens the driver asks for."),
        Column("RequiresRepublish", "boolean", description="Whether mounts are refreshed from time to time."),
        Column("Modes", description="What kinds of volumes the driver serves."),
        AGE,
    ),
    schema=_SCHEMA,
)
