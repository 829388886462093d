"""ValidatingAdmissionWebhook: webhooks that may refuse what is written, all asked at once.

They see the object as it is about to be stored. The first refusal, in order of the configurations, is
what the client is told.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

from wherry.api.admissionregistration.validating_webhook_configurations import (
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from wherry.apiserver.admission.base import Attributes, judging
from wherry.apiserver.admission.matching.equivalents import Versions
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.admission.webhooks.client import CallFailed, ask
from wherry.apiserver.admission.webhooks.dispatcher import Invocation, WebhookPlugin
from wherry.apiserver.admission.webhooks.review import denial
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

Objects = tuple[Object | None, Object | None]


class ValidatingAdmissionWebhook(WebhookPlugin):
    """See the module."""

    name = "ValidatingAdmissionWebhook"

    def __init__(self, metrics: WebhookMetrics) -> None:
        super().__init__(VALIDATING_WEBHOOK_CONFIGURATIONS, metrics)

    async def validate(self, attributes: Attributes) -> None:
        """Ask every webhook concerned. Raises ApiError."""
        concerned = self.concerning(attributes)
        if not concerned:
            return
        versions = Versions(attributes, attributes.obj)
        asked: list[tuple[Invocation, Objects]] = []
        portions = judging()
        for invocation in concerned:
            await portions.next()
            if not invocation.webhook.selectors.match(attributes):
                continue
            objects = await versions.of(invocation.resource)
            if await self.selects(invocation, attributes, *objects):
                asked.append((invocation, objects))
        if len(asked) == 1:
            await self._ask(*asked[0], attributes, 0)
            return
        answers = await asyncio.gather(
            *(self._ask(*each, attributes, number) for number, each in enumerate(asked)),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def _ask(
        self, invocation: Invocation, objects: Objects, attributes: Attributes, number: int
    ) -> None:
        """Ask one webhook. Raises ApiError when it refuses, or fails and may not."""
        webhook, operation = invocation.webhook, attributes.operation
        started = perf_counter()
        try:
            said = await ask(webhook, attributes, invocation.resource, *objects, is_mutating=False)
        except CallFailed as error:
            self._count(invocation, attributes, started, error.code)
            if webhook.fails_closed:
                self._metrics.rejected(
                    webhook.name, self.kind, operation, "calling_webhook_error", error.code
                )
            self.failed(webhook, attributes, error, f"round_0_index_{number}")
            return
        self._note(invocation, attributes, said)
        refusal: ApiError | None = None if said.allowed else denial(webhook.name, said.result)
        self._count(invocation, attributes, started, 200 if refusal is None else refusal.code)
        if refusal is not None:
            self._metrics.rejected(webhook.name, self.kind, operation, "no_error", refusal.code)
            raise refusal
