"""PodDisruptionBudget in policy/v1beta1: an empty selector selects no pods."""

from __future__ import annotations

from wherry.api.legacy.disruption_selectors import from_policy_v1, to_policy_v1
from wherry.api.legacy.lifecycles import POLICY_V1BETA1
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS as MODERN
from wherry.api.versions import Differences, earlier

POD_DISRUPTION_BUDGETS = earlier(
    MODERN,
    "policy/v1beta1",
    POLICY_V1BETA1,
    schema="policy.v1beta1",
    differences=Differences(to_present=to_policy_v1, from_present=from_policy_v1),
)
