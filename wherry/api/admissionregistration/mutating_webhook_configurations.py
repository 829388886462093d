"""MutatingWebhookConfiguration: webhooks that may change objects on admission."""

from __future__ import annotations

from wherry.api.admissionregistration.webhooks import (
    WEBHOOK_COLUMNS,
    default_reinvocation,
    webhook_errors,
    webhook_row,
)
from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy

_SCHEMA = "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration"

MUTATING_WEBHOOK_CONFIGURATIONS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    namespaced=False,
    categories=("api-extensions",),
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        defaults=default_reinvocation,
        rules=webhook_errors,
        row=webhook_row,
    ),
    columns=WEBHOOK_COLUMNS,
    schema=_SCHEMA,
)
