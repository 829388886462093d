"""MutatingAdmissionWebhook: webhooks that may change what is written, asked one after another.

Configurations in order of their names, their webhooks as listed. The object is what the patches before
made of it, defaulted; once one has changed it, all mutating plugins get a second round (`rounds`).
"""

from __future__ import annotations

from time import perf_counter

import orjson

from wherry.api.admissionregistration.mutating_webhook_configurations import MUTATING_WEBHOOK_CONFIGURATIONS
from wherry.apiserver.admission.base import Attributes, done_beside, judging
from wherry.apiserver.admission.changes import before_storing, take_over
from wherry.apiserver.admission.matching.equivalents import Versions
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.admission.rounds import Rounds
from wherry.apiserver.admission.webhooks.client import CallFailed, ask
from wherry.apiserver.admission.webhooks.dispatcher import Invocation, WebhookPlugin
from wherry.apiserver.admission.webhooks.review import JSON_PATCH, Verdict, denial
from wherry.objects.errors import internal
from wherry.objects.meta import Object
from wherry.objects.nesting import MOST_CONTAINERS, has_too_many
from wherry.objects.patches.failure import PatchFailed
from wherry.objects.patches.json_patch import apply_json_patch


class MutatingAdmissionWebhook(WebhookPlugin):
    """See the module."""

    name = "MutatingAdmissionWebhook"
    is_mutating = True

    def __init__(self, metrics: WebhookMetrics) -> None:
        super().__init__(MUTATING_WEBHOOK_CONFIGURATIONS, metrics)

    async def admit(self, attributes: Attributes) -> None:
        """Ask every webhook concerned. Raises ApiError."""
        invocations = self.concerning(attributes)
        if not invocations:
            return
        if attributes.rounds is None:
            attributes.rounds = Rounds()
        rounds = attributes.rounds
        askings = rounds.of(self.name)
        askings.begin(attributes.obj, is_second=rounds.is_second)
        portions = judging()
        for number, invocation in enumerate(invocations):
            await portions.next()
            webhook = invocation.webhook
            if not askings.wants(webhook.uid, is_second=rounds.is_second):
                continue
            if not webhook.selectors.match(attributes):
                continue
            if await self._ask(invocation, attributes, number):
                askings.changed()
                rounds.wants_second = True
            if webhook.is_reinvoked:
                askings.asked(webhook.uid)
        askings.end(attributes.obj)

    async def _ask(self, invocation: Invocation, attributes: Attributes, number: int) -> bool:
        """Ask one webhook; whether it changed the object. Raises ApiError."""
        webhook, resource = invocation
        obj, old = await Versions(attributes, before_storing(attributes)).of(resource)
        if not await self.selects(invocation, attributes, obj, old):
            return False
        started = perf_counter()
        try:
            said = await ask(webhook, attributes, resource, obj, old, is_mutating=True)
            if said.patch and said.patch_type != JSON_PATCH and said.allowed:
                raise CallFailed(f'unsupported patch type "{said.patch_type}"')
        except CallFailed as error:
            self._count(invocation, attributes, started, error.code)
            if webhook.fails_closed:
                self._metrics.rejected(
                    webhook.name, self.kind, attributes.operation, "calling_webhook_error", error.code
                )
            self.failed(webhook, attributes, error, _place(attributes, number))
            return False
        self._note(invocation, attributes, said)
        if not said.allowed:
            refusal = denial(webhook.name, said.result)
            self._count(invocation, attributes, started, refusal.code)
            self._metrics.rejected(webhook.name, self.kind, attributes.operation, "no_error", refusal.code)
            raise refusal
        self._count(invocation, attributes, started, 200)
        changed = await self._apply(invocation, attributes, obj, said)
        self._annotate(invocation, attributes, number, said if changed else None)
        return changed

    async def _apply(
        self, invocation: Invocation, attributes: Attributes, obj: Object | None, said: Verdict
    ) -> bool:
        """Patch the object; whether that changed it. Raises ApiError (500)."""
        if not said.patch:
            return False
        patch = said.patch

        def patched() -> Object | None:
            if has_too_many(patch):
                raise internal(f"the patch has more than {MOST_CONTAINERS} lists and maps")
            try:
                operations = orjson.loads(patch)
            except orjson.JSONDecodeError as error:
                raise internal(str(error)) from error
            if operations == []:
                return None
            if obj is None:
                raise internal(
                    f'admission webhook "{invocation.webhook.name}" attempted to modify the object, '
                    "which is not supported for this operation"
                )
            try:
                return apply_json_patch(obj, operations)
            except PatchFailed as error:
                raise internal(error.why) from error

        made = await done_beside(attributes, patched, len(patch))
        return made is not None and await take_over(attributes, invocation.resource, made)

    def _annotate(
        self, invocation: Invocation, attributes: Attributes, number: int, said: Verdict | None
    ) -> None:
        """Note for the audit log who changed what, in upstream's keys."""
        place = _place(attributes, number)
        webhook = invocation.webhook
        note = {
            "configuration": webhook.configuration,
            "webhook": webhook.name,
            "mutated": said is not None,
        }
        attributes.annotate(f"mutation.webhook.admission.k8s.io/{place}", orjson.dumps(note).decode())
        if said is not None:
            patch = {
                "configuration": webhook.configuration,
                "webhook": webhook.name,
                "patch": orjson.Fragment(said.patch),
                "patchType": said.patch_type,
            }
            attributes.annotate(f"patch.webhook.admission.k8s.io/{place}", orjson.dumps(patch).decode())


def _place(attributes: Attributes, number: int) -> str:
    """Which call it is, as audit annotations tell it."""
    rounds = attributes.rounds
    return f"round_{int(rounds is not None and rounds.is_second)}_index_{number}"
