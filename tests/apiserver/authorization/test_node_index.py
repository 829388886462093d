"""What a node may read is found by what runs on it, not by looking through all pods."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, config_map, pod
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.cached import Cached
from wherry.apiserver.user import AUTHENTICATED, NODES_GROUP, User
from wherry.objects.errors import ApiError

PODS_ELSEWHERE = 300


def uses(name: str) -> dict[str, Any]:
    return {"volumes": [{"name": "v", "configMap": {"name": name}}]}


@pytest.mark.parametrize("has_index", [False, True])
async def test_only_pods_of_the_node_are_decoded(
    rig: Rig, has_index: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = rig.client(User("system:node:n1", (NODES_GROUP, AUTHENTICATED)))
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    for number in range(PODS_ELSEWHERE):
        await rig.admin.create(PODS, pod(f"p{number}", nodeName=f"n{number + 10}", **uses("theirs")))
    await rig.admin.create(PODS, pod("mine", nodeName="n1", **uses("mine")))
    for name in ("mine", "theirs"):
        await rig.admin.create(CONFIG_MAPS, config_map(name))
    if has_index:
        assert len((await node.list(PODS, field_selector="spec.nodeName=n1")).items) == 1
    decoded: list[str] = []
    real = Cached.decode

    def decode(self: Cached) -> dict[str, object]:
        if "/pods/" in self.key:
            decoded.append(self.name)
        return real(self)

    monkeypatch.setattr(Cached, "decode", decode)
    for _ in range(3):
        await node.get(CONFIG_MAPS, "mine", "default")
        with pytest.raises(ApiError, match="no relationship found"):
            await node.get(CONFIG_MAPS, "theirs", "default")
    assert set(decoded) <= {"mine"}
    assert len(decoded) <= 2, "what a pod refers to is read once for each of its versions"
    mine = await rig.admin.get(PODS, "mine", "default")
    await rig.admin.delete(PODS, "mine", "default", grace_period_s=0)
    await rig.admin.create(PODS, pod("mine", nodeName="n1", **uses("theirs")))
    assert mine["spec"]["nodeName"] == "n1"
    await node.get(CONFIG_MAPS, "theirs", "default")
    with pytest.raises(ApiError, match="no relationship found"):
        await node.get(CONFIG_MAPS, "mine", "default")
