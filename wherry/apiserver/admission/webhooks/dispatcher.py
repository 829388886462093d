"""What both webhook plugins share: which webhooks a request concerns, and what a failed call comes to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import NamedTuple

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes, BasePlugin, done_beside
from wherry.apiserver.admission.expressions.conditions import ConditionsFailed, conditions_hold
from wherry.apiserver.admission.expressions.scope import Scope
from wherry.apiserver.admission.following import Followed
from wherry.apiserver.admission.matching.equivalents import equivalents
from wherry.apiserver.admission.matching.rules import hits, is_exempt
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.admission.remembered import Remembered
from wherry.apiserver.admission.webhooks.client import CallFailed
from wherry.apiserver.admission.webhooks.configuration import Webhook, webhooks_of
from wherry.apiserver.admission.webhooks.review import Verdict, failure, no_dry_run
from wherry.apiserver.beside import LARGE
from wherry.apiserver.parts import Parts
from wherry.apiserver.user import BOOTSTRAP
from wherry.objects.cel import Budget
from wherry.objects.cel.cost import COST_LIMIT_OF_MATCH_CONDITIONS, may_take_long
from wherry.objects.errors import forbidden
from wherry.objects.meta import Object

log = logging.getLogger(__name__)


class Invocation(NamedTuple):
    """A webhook that is to be asked, and the version in which it wants the objects."""

    webhook: Webhook
    resource: Resource


class WebhookPlugin(BasePlugin):
    """Follows the configurations of one kind of webhooks."""

    asks_outside = True
    is_mutating = False

    def __init__(self, configurations: Resource, metrics: WebhookMetrics) -> None:
        self._followed = Followed(configurations, webhooks_of)
        self._metrics = metrics
        self._webhooks: tuple[Webhook, ...] = ()
        self._invocations = Remembered(self._find_invocations)
        self._core: Parts | None = None

    async def start(self, core: Parts, changed: Callable[[], None]) -> None:
        """Follow the configurations. Raises ApiError (503)."""
        self._core = core

        def renew() -> None:
            self._webhooks = tuple(hook for hooks in self._followed.in_order() for hook in hooks)
            self._invocations.clear()
            changed()

        await self._followed.start(core, renew)

    def close(self) -> None:
        """Follow no more."""
        self._followed.close()

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return bool(self.invocations(resource, subresource, operation))

    def invocations(self, resource: Resource, subresource: str, operation: str) -> tuple[Invocation, ...]:
        """The webhooks whose rules name such requests, in the order they are asked."""
        core = self._core
        if core is None or not self._webhooks or is_exempt(resource):
            return ()
        return self._invocations.about(core.registry, resource, subresource, operation)

    def _find_invocations(
        self, resource: Resource, subresource: str, operation: str
    ) -> tuple[Invocation, ...]:
        core = self._core
        if core is None:
            return ()
        others = equivalents(core.registry, resource, subresource)
        made: list[Invocation] = []
        for webhook in self._webhooks:
            stand_ins = others if webhook.is_equivalent else ()
            matching = hits(webhook.rules, resource, stand_ins, subresource, operation)
            if matching:
                made.append(Invocation(webhook, matching[0].resource))
        return tuple(made)

    def concerning(self, attributes: Attributes) -> tuple[Invocation, ...]:
        """The webhooks whose rules name this request; none while the server itself starts."""
        if attributes.user is BOOTSTRAP:
            return ()
        return self.invocations(attributes.resource, attributes.subresource, attributes.operation)

    async def selects(
        self, invocation: Invocation, attributes: Attributes, obj: Object | None, old: Object | None
    ) -> bool:
        """Whether a webhook's match conditions let the request through to it. Raises ApiError (400, 403)."""
        webhook = invocation.webhook
        if webhook.conditions:
            budget = Budget(COST_LIMIT_OF_MATCH_CONDITIONS)
            scope = Scope(attributes, invocation.resource, obj, old, budget=budget)
            try:
                scope.asks_loop(asyncio.get_running_loop())
                hold = partial(conditions_hold, webhook.conditions, scope, fails_closed=webhook.fails_closed)
                takes_long = may_take_long(str(one.get("expression") or "") for one in webhook.conditions)
                if not await done_beside(attributes, hold, LARGE if takes_long else 0):
                    return False
            except ConditionsFailed as error:
                resource = attributes.resource
                raise forbidden(resource.plural, resource.group, attributes.name, str(error)) from error
        if attributes.dry_run and not webhook.is_free_of_side_effects:
            raise no_dry_run(webhook.name)
        return True

    def failed(self, webhook: Webhook, attributes: Attributes, error: CallFailed, place: str) -> None:
        """A call failed: go on if the webhook says so. Raises ApiError (500).

        `place` is the round and number of the call, as audit annotations tell it.
        """
        if webhook.fails_closed:
            log.warning("failed calling webhook %s, failing closed: %s", webhook.name, error)
            raise failure(webhook.name, str(error)) from error
        log.warning("failed calling webhook %s, failing open: %s", webhook.name, error)
        self._metrics.failed_open(webhook.name, self.kind)
        attributes.annotate(f"failed-open.{self.noun}.webhook.admission.k8s.io/{place}", webhook.name)

    def _note(self, invocation: Invocation, attributes: Attributes, said: Verdict) -> None:
        """Pass on a webhook's warnings, and its notes for the audit log."""
        for text in said.warnings:
            attributes.warn(text)
        for key, value in said.annotations.items():
            attributes.annotate(f"{invocation.webhook.name}/{key}", str(value))

    def _count(self, invocation: Invocation, attributes: Attributes, started: float, code: int) -> None:
        seconds = perf_counter() - started
        self._metrics.answered(invocation.webhook.name, self.kind, attributes.operation, code, seconds)

    @property
    def kind(self) -> str:
        """What the metrics call this kind of webhooks."""
        return "admit" if self.is_mutating else "validating"

    @property
    def noun(self) -> str:
        """What audit annotations call this kind of webhooks."""
        return "mutation" if self.is_mutating else "validating"
