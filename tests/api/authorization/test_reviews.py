"""Access reviews, held against upstream's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wherry.api.authorization.reviews import (
    local_review_errors,
    self_review_errors,
    subject_review_errors,
)
from wherry.objects.errors import FieldError

ASKED = {"verb": "get", "resource": "pods"}
PATH = {"verb": "get", "path": "/x"}
Judge = Callable[[Any], list[FieldError]]


@pytest.mark.parametrize(
    ("judge", "spec", "meta", "text"),
    [
        (self_review_errors, {"resourceAttributes": ASKED}, {}, ""),
        (
            self_review_errors,
            {},
            {},
            (
                "spec.resourceAttributes: Invalid value: null: "
                "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            ),
        ),
        (
            self_review_errors,
            {"resourceAttributes": ASKED, "nonResourceAttributes": PATH},
            {},
            (
                'spec.nonResourceAttributes: Invalid value: {"verb":"get","path":"/x"}: '
                "cannot be specified in combination with resourceAttributes"
            ),
        ),
        (
            self_review_errors,
            {"resourceAttributes": ASKED},
            {"name": "x"},
            'metadata: Invalid value: {"name":"x"}: must be empty',
        ),
        (
            subject_review_errors,
            {"resourceAttributes": ASKED},
            {},
            'spec.user: Invalid value: "": at least one of user or group must be specified',
        ),
        (
            subject_review_errors,
            {"user": "u", "resourceAttributes": {**ASKED, "fieldSelector": {}}},
            {},
            (
                "spec.resourceAttributes.fieldSelector.requirements: Required value: when "
                "spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required"
            ),
        ),
        (
            subject_review_errors,
            {
                "user": "u",
                "resourceAttributes": {
                    **ASKED,
                    "labelSelector": {"requirements": [{"key": "k", "operator": "In"}]},
                },
            },
            {},
            (
                "spec.resourceAttributes.labelSelector.requirements[0].values: Required value: "
                "must be specified when `operator` is 'In' or 'NotIn'"
            ),
        ),
        (
            local_review_errors,
            {"user": "u", "resourceAttributes": {**ASKED, "namespace": "m"}},
            {"namespace": "n"},
            'spec.resourceAttributes.namespace: Invalid value: "m": must match metadata.namespace',
        ),
        (
            local_review_errors,
            {"user": "u", "nonResourceAttributes": PATH},
            {"namespace": "n"},
            (
                'spec.nonResourceAttributes: Invalid value: {"verb":"get","path":"/x"}: '
                "disallowed on this kind of request"
            ),
        ),
    ],
)
def test_reviews(judge: Judge, spec: dict[str, Any], meta: dict[str, Any], text: str) -> None:
    assert [str(error) for error in judge({"metadata": meta, "spec": spec})] == ([text] if text else [])
