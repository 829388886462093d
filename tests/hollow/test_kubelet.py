"""What only a kubelet could answer is refused with a clear error, at once."""

from __future__ import annotations

import pytest

from tests.hollow.rig import simulated
from wherry.objects.errors import ApiError

SAID = 'node "hollow-0" is simulated: nothing runs there'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/default/pods/web/log"),
        ("POST", "/api/v1/namespaces/default/pods/web/exec?command=ls&stdout=true"),
        ("POST", "/api/v1/namespaces/default/pods/web/attach?stdout=true"),
        ("GET", "/api/v1/nodes/hollow-0/proxy/metrics"),
    ],
)
async def test_a_simulated_node_has_no_kubelet(method: str, path: str) -> None:
    async with simulated(listens=True) as s:
        await s.pod()
        code, body, _ = await s.api.http(method, path)
        assert code == 400
        assert SAID in (body if isinstance(body, str) else body["message"])


async def test_the_same_in_process() -> None:
    async with simulated() as s:
        await s.pod()
        with pytest.raises(ApiError, match=SAID):
            await s.client.raw("/api/v1/namespaces/default/pods/web/log")
