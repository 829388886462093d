"""ServiceAccount: who a pod is to the API server."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.core.v1.ServiceAccount"


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("secrets") or ()), age_of(obj, now)]


SERVICE_ACCOUNTS = Resource(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    namespaced=True,
    short_names=("sa",),
    subresources=(
        Subresource(
            "token", verbs=("create",), group="authentication.k8s.io", version="v1", kind="TokenRequest"
        ),
    ),
    strategy=SchemaStrategy(schema=_SCHEMA, namespaced=True, row=_row),
    columns=(NAME, Column("Secrets", description="Number of secrets the account may use."), AGE),
    schema=_SCHEMA,
)
