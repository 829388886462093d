"""resource.k8s.io/v1beta2, which looks as v1 does. Device taint rules are stored in it."""

from __future__ import annotations

from wherry.api.beta.lifecycles import SINCE_1_33
from wherry.api.dynamicresources import (
    device_classes,
    device_taint_rules,
    resource_claim_templates,
    resource_claims,
    resource_slices,
)
from wherry.api.lifecycle import Lifecycle
from wherry.api.resource import Resource
from wherry.api.versions import earlier


def _beta(modern: Resource, lifecycle: Lifecycle | None = SINCE_1_33) -> Resource:
    return earlier(modern, "resource.k8s.io/v1beta2", lifecycle, schema="resource.v1beta2", is_current=True)


DEVICE_CLASSES = _beta(device_classes.DEVICE_CLASSES)
DEVICE_TAINT_RULES = _beta(device_taint_rules.DEVICE_TAINT_RULES, None)
RESOURCE_CLAIMS = _beta(resource_claims.RESOURCE_CLAIMS)
RESOURCE_CLAIM_TEMPLATES = _beta(resource_claim_templates.RESOURCE_CLAIM_TEMPLATES)
RESOURCE_SLICES = _beta(resource_slices.RESOURCE_SLICES)
