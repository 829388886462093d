"""What counts as a change: every way of writing, over values that only Python takes for equal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import CRDS, ROOT, cron_tab, definition
from tests.apiserver.rig import Rig, running
from wherry.kit.clock import FakeClock

PAIRS = [(True, 1), (1, True), (False, 0), (0, False), ([1], [True]), ({"a": {"b": 0}}, {"a": {"b": False}})]


def holding(value: Any) -> Any:
    obj = cron_tab("a")
    obj["spec"]["free"] = {"value": value}
    return obj


async def put(rig: Rig, value: Any) -> tuple[int, Any]:
    _, live, _ = await rig.http("GET", f"{ROOT}/a")
    live["spec"]["free"] = {"value": value}
    status, body, _ = await rig.http("PUT", f"{ROOT}/a", live)
    return status, body


async def patch(rig: Rig, kind: str, body: Any) -> tuple[int, Any]:
    path = f"{ROOT}/a" + ("?fieldManager=m&force=true" if "apply" in kind else "")
    sent = {"Content-Type": f"application/{kind}"}
    status, answer, _ = await rig.http("PATCH", path, json.dumps(body), headers=sent)
    return status, answer


async def merge(rig: Rig, value: Any) -> tuple[int, Any]:
    return await patch(rig, "merge-patch+json", {"spec": {"free": {"value": value}}})


async def replace(rig: Rig, value: Any) -> tuple[int, Any]:
    return await patch(
        rig, "json-patch+json", [{"op": "replace", "path": "/spec/free/value", "value": value}]
    )


async def apply(rig: Rig, value: Any) -> tuple[int, Any]:
    return await patch(rig, "apply-patch+yaml", holding(value))


@pytest.mark.parametrize("write", [put, merge, replace, apply])
async def test_a_change_of_type_alone_is_stored_and_counted(rig: Rig, write: Any) -> None:
    await define(rig, definition())
    for before, after in PAIRS:
        status, made, _ = await rig.http("POST", ROOT, holding(before))
        assert status == 201, made
        status, changed = await write(rig, after)
        assert status == 200, changed
        assert json.dumps(changed["spec"]["free"]["value"]) == json.dumps(after)
        assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"], (before, after)
        assert changed["metadata"]["generation"] == 2, (before, after)
        owner = next(
            entry
            for entry in changed["metadata"]["managedFields"]
            if "f:value" in entry["fieldsV1"].get("f:spec", {}).get("f:free", {})
        )
        assert write is apply or owner["operation"] == "Update"
        status, again = await write(rig, after)
        assert write is apply or again["metadata"]["generation"] == 2
        await rig.http("DELETE", f"{ROOT}/a")


async def test_a_definition_whose_default_changes_its_type_alone(rig: Rig) -> None:
    crd = definition()
    free = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["free"]
    free["default"] = {"on": True}
    await define(rig, crd)
    path = f"{CRDS}/{crd['metadata']['name']}"
    _, live, _ = await rig.http("GET", path)
    free = live["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "free"
    ]
    free["default"] = {"on": 1}
    status, changed, _ = await rig.http("PUT", path, live)
    assert status == 200, changed
    assert changed["metadata"]["generation"] == live["metadata"]["generation"] + 1
    _, made, _ = await rig.http("POST", ROOT, cron_tab("b"))
    assert json.dumps(made["spec"]["free"]) == '{"on": 1}'


async def test_a_change_of_type_alone_within_a_second_by_the_same_client() -> None:
    """Of a status: nothing else differs there, neither a generation nor the time somebody owns it from."""
    crd = definition()
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    schema["status"]["x-kubernetes-preserve-unknown-fields"] = True
    async with running(FakeClock()) as rig:
        await define(rig, crd)
        await rig.http("POST", ROOT, cron_tab("a"))
        for before, after in PAIRS:
            versions = []
            for value in (before, after, after):
                _, live, _ = await rig.http("GET", f"{ROOT}/a")
                live["status"] = {"value": value}
                status, stored, _ = await rig.http("PUT", f"{ROOT}/a/status", live)
                assert status == 200, stored
                assert json.dumps(stored["status"]["value"]) == json.dumps(value)
                versions.append(stored["metadata"]["resourceVersion"])
            assert versions[0] != versions[1], (before, after)
            assert versions[1] == versions[2], "and what is the same is not stored"
