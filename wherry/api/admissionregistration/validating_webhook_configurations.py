"""ValidatingWebhookConfiguration: webhooks that may refuse objects on admission."""

from __future__ import annotations

from wherry.api.admissionregistration.webhooks import (
    WEBHOOK_COLUMNS,
    default_webhooks,
    webhook_errors,
    webhook_row,
)
from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy

_SCHEMA = "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration"

VALIDATING_WEBHOOK_CONFIGURATIONS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    namespaced=False,
    categories=("api-extensions",),
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        defaults=default_webhooks,
        rules=webhook_errors,
        row=webhook_row,
    ),
    columns=WEBHOOK_COLUMNS,
    schema=_SCHEMA,
)
