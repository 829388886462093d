"""MutatingWebhookConfiguration: webhooks that may change objects on admission."""

from __future__ import annotations

from wherry.api.admissionregistration.webhooks import webhook_resource

MUTATING_WEBHOOK_CONFIGURATIONS = webhook_resource(
    "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", mutates=True
)
