"""The filter chain: in order, each may wait, whatever goes wrong is one answer and holds nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.apiserver.rig import ALICE, Rig, config_map, running
from tests.conftest import eventually
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.apiserver import front
from wherry.objects.errors import ApiError

PATH = "/api/v1/namespaces/default/configmaps"


async def let_alice(rig: Rig, role: str) -> None:
    """Give Alice a cluster role."""
    subject = {"kind": "User", "name": ALICE.name, "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    await rig.admin.create(
        CLUSTER_ROLE_BINDINGS, {"metadata": {"name": role}, "roleRef": ref, "subjects": [subject]}
    )


async def status(rig: Rig, path: str, **headers: str) -> int:
    """The status of Alice's GET."""
    return (await rig.http("GET", path, token="alice-token", headers=headers))[0]


async def test_ordinary_users_take_the_straight_line_when_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as rig:
        await rig.admin.create(CONFIG_MAPS, config_map("m"))
        assert await status(rig, f"{PATH}/m") == 403
        await let_alice(rig, "view")
        chained: list[str] = []
        real = front.Front.chain

        def chain(self: front.Front, request: Any, started: float) -> Any:
            chained.append(request.path)
            return real(self, request, started)

        monkeypatch.setattr(front.Front, "chain", chain)
        assert await status(rig, f"{PATH}/m") == 200
        assert chained == []
        assert await status(rig, f"{PATH}/none") == 404
        assert await status(rig, f"{PATH}/m?pretty=true") == 200
        assert await status(rig, f"{PATH}/m", Accept="application/yaml") == 200
        assert await status(rig, "/api/v1/namespaces/kube-system/secrets/s") == 403
        assert len(chained) == 4


async def test_the_straight_line_leaves_out_no_warning() -> None:
    async with running() as rig:
        await rig.admin.create(ENDPOINTS, {"metadata": {"name": "e", "namespace": "default"}})
        _, _, headers = await rig.http("GET", "/api/v1/namespaces/default/endpoints/e")
        assert "deprecated" in headers["Warning"]


async def test_room_comes_before_permission_and_is_given_back_by_both() -> None:
    async with running(max_reading_in_flight=1) as rig:
        room = rig.server.metrics.seats.reading
        assert await status(rig, f"{PATH}?limit=1") == 403
        assert room.taken == 0
        room.taken = 1
        assert await status(rig, f"{PATH}?limit=1") == 429
        room.taken = 0
        await let_alice(rig, "view")
        assert await status(rig, f"{PATH}?limit=1") == 200
        assert room.taken == 0


async def test_a_request_that_takes_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(request_timeout_s=0.05) as rig:

        async def create(*_: Any, **__: Any) -> Any:
            await asyncio.get_running_loop().create_future()

        monkeypatch.setattr(rig.store, "create", create)
        code, answer, _ = await rig.http("POST", PATH, config_map("m"))
        assert (code, answer["reason"]) == (504, "Timeout")
        assert "context deadline exceeded" in answer["message"]
        await eventually(lambda: rig.server.metrics.seats.mutating.taken == 0)


@pytest.mark.parametrize("error", [ApiError(418, "Teapot", "no coffee"), ValueError("broken")])
async def test_whatever_a_filter_raises_is_the_answer(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as rig:

        def fails(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(front, "form_of", fails)
        code, answer, _ = await rig.http("GET", f"{PATH}?limit=1")
        assert code == (error.code if isinstance(error, ApiError) else 500)
        assert answer["kind"] == "Status"
        assert rig.server.metrics.seats.reading.taken == 0
