"""What was stored with zeros that are left out today is no other object for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apiserver.rig import Rig, pod
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource
from wherry.objects.meta import Object


async def store(
    rig: Rig, resource: Resource, obj: Object, key: str, zeros: dict[str, Any], at: list[Any]
) -> None:
    """Create the object, then put it into the store as an earlier version may have left it."""
    made = await rig.admin.create(resource, obj)
    place: Any = made
    for step in at:
        place = place[step]
    place.update(zeros)
    made["metadata"].pop("resourceVersion")
    entry = await rig.store.get(f"/registry/{key}")
    assert entry is not None
    await rig.store.update(f"/registry/{key}", json.dumps(made).encode(), expected=entry.revision)


@pytest.mark.parametrize("how", ["put", "label"])
async def test_a_pod_with_zeros_can_be_written(rig: Rig, how: str) -> None:
    account = {"metadata": {"name": "default", "namespace": "default"}}
    await rig.admin.create(SERVICE_ACCOUNTS, account)
    zeros = {"env": [], "args": [], "workingDir": "", "stdin": False, "ports": []}
    await store(rig, PODS, pod("p"), "pods/default/p", zeros, ["spec", "containers", 0])
    path = "/api/v1/namespaces/default/pods/p"
    if how == "put":
        _, found, _ = await rig.http("GET", path)
        code, answer, _ = await rig.http("PUT", path, found)
    else:
        patch = json.dumps({"metadata": {"labels": {"a": "b"}}})
        headers = {"Content-Type": "application/merge-patch+json"}
        code, answer, _ = await rig.http("PATCH", path, patch, headers=headers)
    assert code == 200, answer
    assert answer["metadata"].get("generation", 1) == 1


async def test_a_generation_is_not_counted_for_them(rig: Rig) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "default"}}
    zeros = {"hostNetwork": False, "volumes": [], "nodeSelector": {}}
    where: list[Any] = ["spec", "template", "spec"]
    await store(rig, DEPLOYMENTS, {**made, "spec": spec}, "deployments/default/d", zeros, where)
    path = "/apis/apps/v1/namespaces/default/deployments/d"
    _, found, _ = await rig.http("GET", path)
    code, answer, _ = await rig.http("PUT", path, found)
    assert (code, answer["metadata"]["generation"]) == (200, 1)
