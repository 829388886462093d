"""ValidatingWebhookConfiguration: webhooks that may refuse objects on admission."""

from __future__ import annotations

from wherry.api.admissionregistration.webhooks import webhook_resource

VALIDATING_WEBHOOK_CONFIGURATIONS = webhook_resource(
    "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", mutates=False
)
