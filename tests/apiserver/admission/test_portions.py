"""However many webhooks and policies concern a write, others have their turn while they are gone through."""

from __future__ import annotations

import asyncio

import pytest

from tests.apiserver.rig import Rig, config_map
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.kit.portions import Work, runs_of
from wherry.objects.meta import Object

PATH = "/apis/admissionregistration.k8s.io/v1"
COUNT = 40
RULES = [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}]
NEVER = [{"name": "never", "expression": "object.metadata.name == 'never'"}]


def webhooks(kind: str) -> list[tuple[str, Object]]:
    """One configuration of webhooks that look at every ConfigMap, and are asked about none."""
    hooks = [
        {
            "name": f"h{number}.example.com",
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "rules": RULES,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "matchConditions": NEVER,
        }
        for number in range(COUNT)
    ]
    return [(f"{kind}webhookconfigurations", {"metadata": {"name": "many"}, "webhooks": hooks})]


def policies() -> list[tuple[str, Object]]:
    """Policies that do the same."""
    spec = {
        "matchConstraints": {"resourceRules": RULES},
        "matchConditions": NEVER,
        "validations": [{"expression": "false"}],
    }
    made: list[tuple[str, Object]] = []
    for number in range(COUNT):
        meta = {"name": f"p{number}"}
        made.append(("validatingadmissionpolicies", {"metadata": meta, "spec": spec}))
        binding = {"policyName": meta["name"], "validationActions": ["Deny"]}
        made.append(("validatingadmissionpolicybindings", {"metadata": meta, "spec": binding}))
    return made


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param(webhooks("validating"), id="validating webhooks"),
        pytest.param(webhooks("mutating"), id="mutating webhooks"),
        pytest.param(policies(), id="policies"),
    ],
)
async def test_others_have_their_turn(rig: Rig, objects: list[tuple[str, Object]]) -> None:
    for plural, obj in objects:
        status, body, _ = await rig.http("POST", f"{PATH}/{plural}", obj)
        assert status == 201, body
    runs_of(Work.REQUESTS).seconds = 0.0  # as if each took that long
    assert await turns_of_a_write(rig) >= COUNT


async def turns_of_a_write(rig: Rig) -> int:
    """How many passes of the event loop it takes to create a ConfigMap in this process."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    try:
        await rig.admin.create(CONFIG_MAPS, config_map("a"))
    finally:
        counting.cancel()
    return turns
