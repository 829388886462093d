"""Who shows a bootstrap token, and from when on it is no good."""

from __future__ import annotations

import pytest

from tests.apiserver.rig import Rig
from tests.controllers.bootstrap.secrets import token_secret
from wherry.api.core.secrets import SECRETS

TOKEN = "abcdef.0123456789abcdef"
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def who(rig: Rig, token: str) -> tuple[int, str, list[str]]:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    headers = {"Authorization": f"Bearer {token}"}
    async with rig.session.post(rig.server.url + REVIEWS, json=body, headers=headers) as answer:
        found = await answer.json()
    user = (found.get("status") or {}).get("userInfo") if answer.status == 201 else None
    return answer.status, (user or {}).get("username", ""), (user or {}).get("groups", [])


async def test_a_token_is_somebody_until_its_secret_goes(rig: Rig) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", **token_secret()}
    assert (await who(rig, TOKEN))[0] == 401
    await rig.admin.create(SECRETS, secret)
    assert await who(rig, TOKEN) == (
        201,
        "system:bootstrap:abcdef",
        ["system:bootstrappers", "system:authenticated"],
    )
    assert (await who(rig, "abcdef.0123456789abcdeX"))[0] == 401
    assert (await who(rig, "abcdef.0123456789abcdee"))[0] == 401
    await rig.admin.delete(SECRETS, "bootstrap-token-abcdef", "kube-system")
    assert (await who(rig, TOKEN))[0] == 401


@pytest.mark.parametrize(
    "changed", [{"usage_bootstrap_authentication": "false"}, {"expiration": "2020-01-01T00:00:00Z"}]
)
async def test_a_token_that_may_not(rig: Rig, changed: dict[str, str]) -> None:
    secret = token_secret((changed.get("expiration") and "zzzzzz") or "yyyyyy", **changed)
    await rig.admin.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret})
    for token_id in ("yyyyyy", "zzzzzz"):
        assert (await who(rig, f"{token_id}.0123456789abcdef"))[0] == 401
