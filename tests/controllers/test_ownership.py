"""Claims: what an owner keeps, adopts and releases."""

from __future__ import annotations

import pytest

from wherry.controllers.ownership import plan_claims
from wherry.objects.meta import Object
from wherry.objects.selectors import from_map

SELECTOR = from_map({"app": "web"})


@pytest.mark.parametrize("owner_deleting", [False, True])
@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize("matches", [False, True])
@pytest.mark.parametrize("controller", [None, "me", "other"])
def test_claims(owner_deleting: bool, deleting: bool, matches: bool, controller: str | None) -> None:
    owner: Object = {"metadata": {"uid": "me"}}
    obj: Object = {"metadata": {"labels": {"app": "web" if matches else "db"}}}
    if owner_deleting:
        owner["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if deleting:
        obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if controller:
        obj["metadata"]["ownerReferences"] = [{"uid": controller, "controller": True}]
    claims = plan_claims(owner, SELECTOR, [obj])
    found = {
        "kept": bool(claims.kept),
        "adopt": bool(claims.adopt),
        "release": bool(claims.release),
    }
    assert found == {
        "kept": controller == "me" and (matches or owner_deleting),
        "adopt": controller is None and matches and not owner_deleting and not deleting,
        "release": controller == "me" and not matches and not owner_deleting,
    }
