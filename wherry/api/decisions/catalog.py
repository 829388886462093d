"""The kinds of `wherry.dev/v1alpha1`: an API server has them where a scheduler runs beside it."""

from __future__ import annotations

from wherry.api.decisions.pod_decision_reviews import POD_DECISION_REVIEWS
from wherry.api.decisions.pod_decisions import POD_DECISIONS
from wherry.api.resource import Resource

DECISIONS: tuple[Resource, ...] = (POD_DECISIONS, POD_DECISION_REVIEWS)
