"""resource.k8s.io/v1beta1: requests without `exactly`, devices with `basic`."""

from __future__ import annotations

from wherry.api.beta.basic_devices import slice_from_v1, slice_to_v1
from wherry.api.beta.device_requests import claim_from_v1, claim_to_v1, template_from_v1, template_to_v1
from wherry.api.beta.lifecycles import SINCE_1_32
from wherry.api.dynamicresources import (
    device_classes,
    resource_claim_templates,
    resource_claims,
    resource_slices,
)
from wherry.api.resource import Resource
from wherry.api.versions import Differences, earlier


def _beta(modern: Resource, differences: Differences | None = None) -> Resource:
    return earlier(
        modern,
        "resource.k8s.io/v1beta1",
        SINCE_1_32,
        schema="resource.v1beta1",
        differences=differences,
        is_current=True,
    )


DEVICE_CLASSES = _beta(device_classes.DEVICE_CLASSES)
RESOURCE_CLAIMS = _beta(
    resource_claims.RESOURCE_CLAIMS, Differences(to_present=claim_to_v1, from_present=claim_from_v1)
)
RESOURCE_CLAIM_TEMPLATES = _beta(
    resource_claim_templates.RESOURCE_CLAIM_TEMPLATES,
    Differences(to_present=template_to_v1, from_present=template_from_v1),
)
RESOURCE_SLICES = _beta(
    resource_slices.RESOURCE_SLICES, Differences(to_present=slice_to_v1, from_present=slice_from_v1)
)
