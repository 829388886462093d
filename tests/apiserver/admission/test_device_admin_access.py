"""Admin access to devices needs a namespace that is marked for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.rig import Rig

LABEL = "resource.kubernetes.io/admin-access"


def claim(*, admin: bool, template: bool) -> dict[str, Any]:
    exactly = {"deviceClassName": "gpu", "adminAccess": admin}
    spec: dict[str, Any] = {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}
    return {"metadata": {"name": "c"}, "spec": {"spec": spec} if template else spec}


@pytest.mark.parametrize("plural", ["resourceclaims", "resourceclaimtemplates"])
async def test_admin_access(rig: Rig, plural: str) -> None:
    for name, labels in (("plain", {}), ("marked", {LABEL: "true"})):
        body = {"metadata": {"name": name, "labels": labels}}
        await rig.http("POST", "/api/v1/namespaces", body)
    root, template = "/apis/resource.k8s.io/v1/namespaces", plural == "resourceclaimtemplates"
    asked = claim(admin=True, template=template)
    status, told, _ = await rig.http("POST", f"{root}/plain/{plural}", asked)
    assert status == 422
    assert f"exactly.adminAccess: Forbidden: admin access to devices requires the `{LABEL}" in told["message"]
    status, _, _ = await rig.http("POST", f"{root}/marked/{plural}", asked)
    assert status == 201
    status, _, _ = await rig.http("POST", f"{root}/plain/{plural}", claim(admin=False, template=template))
    assert status == 201
