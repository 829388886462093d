"""One webhook, as a configuration object declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.apiserver.admission.matching.selectors import Selectors, selectors_of
from wherry.objects.meta import Object, name_of

NO_SIDE_EFFECTS = ("None", "NoneOnDryRun")
REVIEW_VERSIONS = ("v1", "v1beta1")
DEFAULT_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, eq=False)
class Webhook:
    """What to know of a webhook. `uid` tells it from those of the same name elsewhere."""

    uid: str
    name: str
    configuration: str
    client_config: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]]
    selectors: Selectors
    conditions: Sequence[Mapping[str, Any]]
    is_equivalent: bool
    fails_closed: bool
    is_free_of_side_effects: bool
    timeout_s: int
    review_version: str
    is_reinvoked: bool


def webhooks_of(configuration: Object) -> list[Webhook]:
    """The webhooks of one configuration, in order."""
    return [_webhook(name_of(configuration), hook) for hook in configuration.get("webhooks") or ()]


def _webhook(configuration: str, hook: Mapping[str, Any]) -> Webhook:
    name = hook.get("name") or ""
    offered = hook.get("admissionReviewVersions") or ()
    return Webhook(
        f"{configuration}/{name}",
        name,
        configuration,
        hook.get("clientConfig") or {},
        hook.get("rules") or (),
        selectors_of(hook),
        hook.get("matchConditions") or (),
        hook.get("matchPolicy") != "Exact",
        hook.get("failurePolicy") != "Ignore",
        hook.get("sideEffects") in NO_SIDE_EFFECTS,
        hook.get("timeoutSeconds") or DEFAULT_TIMEOUT_S,
        next((version for version in offered if version in REVIEW_VERSIONS), ""),
        hook.get("reinvocationPolicy") == "IfNeeded",
    )
