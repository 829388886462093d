"""Migrations, held against upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.storagemigration.storage_version_migrations import STORAGE_VERSION_MIGRATIONS

STRATEGY = STORAGE_VERSION_MIGRATIONS.strategy


def migration(resource: str = "pods", **status: Any) -> dict[str, Any]:
    spec = {"resource": {"group": "", "resource": resource}}
    return {"metadata": {"name": "m", "resourceVersion": "1"}, "spec": spec, "status": status}


def condition(kind: str) -> dict[str, Any]:
    since = "2026-01-01T00:00:00Z"
    return {"type": kind, "status": "True", "reason": "Because", "lastTransitionTime": since}


def test_the_resource_is_told_and_stays() -> None:
    assert [str(error) for error in STRATEGY.validate(migration(""), None)] == [
        "spec.resource.resource: Required value: resource is required to be set"
    ]
    assert [error.field for error in STRATEGY.validate(migration("Pods"), None)] == ["spec.resource.resource"]
    assert [error.field for error in STRATEGY.validate(migration("nodes"), migration())] == ["spec"]


@pytest.mark.parametrize(
    ("kinds", "before", "text"),
    [
        (
            ("Succeeded", "Failed"),
            (),
            "Both success and failed conditions cannot be true at the same time",
        ),
        (("Succeeded", "Running"), (), "Running condition cannot be true when success condition is true"),
        ((), ("Succeeded",), "Success condition cannot be set to false once it is true"),
        ((), ("Failed",), "Failed condition cannot be set to false once it is true"),
        (("Running",), (), ""),
    ],
)
def test_conditions(kinds: tuple[str, ...], before: tuple[str, ...], text: str) -> None:
    new = migration(resourceVersion="5", conditions=[condition(kind) for kind in kinds])
    old = migration(resourceVersion="5", conditions=[condition(kind) for kind in before])
    told = [error.message.rpartition(": ")[2] for error in STRATEGY.validate_status(new, old)]
    assert told == ([text] if text else [])


def test_the_revision_is_a_number_and_stays() -> None:
    new, old = migration(resourceVersion="x"), migration(resourceVersion="5")
    assert [error.field for error in STRATEGY.validate_status(new, old)] == ["status.resourceVersion"] * 2
