"""Options of writes: dryRun, fieldManager, fieldValidation, force, and what upstream says of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.conformance.asking import (
    APPLY,
    DEPLOYMENTS,
    JSON_PATCH,
    MAPS,
    MERGE_PATCH,
    deployment,
    refusal,
)
from tests.apiserver.rig import Rig, config_map

LONG = "m" * 129
DRY_RUN = 'dryRun: Unsupported value: ["Some"]: supported values: "All"'
MANAGER = "fieldManager: Too long: may not be more than 128 bytes"
UNPRINTABLE = 'fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)'
VALIDATION = 'fieldValidation: Unsupported value: "Loud": supported values: "", "Ignore", "Strict", "Warn"'


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("dryRun=Some", DRY_RUN),
        (f"fieldManager={LONG}", MANAGER),
        ("fieldManager=a%0Ab", UNPRINTABLE),
        ("fieldValidation=Loud", VALIDATION),
        (f"dryRun=Some&fieldManager={LONG}&fieldValidation=Loud", f"[{MANAGER}, {DRY_RUN}, {VALIDATION}]"),
    ],
)
@pytest.mark.parametrize(
    ("method", "name", "kind", "content_type"),
    [
        ("POST", "", "CreateOptions", "application/json"),
        ("PUT", "/a", "UpdateOptions", "application/json"),
        ("PATCH", "/a", "PatchOptions", MERGE_PATCH),
    ],
)
async def test_wrong_options(
    rig: Rig, method: str, name: str, kind: str, content_type: str, query: str, complaint: str
) -> None:
    found = await refusal(rig, method, f"{MAPS}{name}?{query}", config_map("a"), content_type=content_type)
    assert found == (422, "Invalid", f'{kind}.meta.k8s.io "" is invalid: {complaint}')


async def test_the_causes_of_wrong_options(rig: Rig) -> None:
    _, answer, _ = await rig.http("POST", f"{MAPS}?dryRun=Some", config_map("a"))
    assert answer["details"] == {
        "group": "meta.k8s.io",
        "kind": "CreateOptions",
        "causes": [
            {
                "reason": "FieldValueNotSupported",
                "message": 'Unsupported value: ["Some"]: supported values: "All"',
                "field": "dryRun",
            }
        ],
    }


@pytest.mark.parametrize(
    ("query", "content_type", "complaint"),
    [
        ("", APPLY, "fieldManager: Required value: is required for apply patch"),
        ("force=true", MERGE_PATCH, "force: Forbidden: may not be specified for non-apply patch"),
        ("force=false", JSON_PATCH, "force: Forbidden: may not be specified for non-apply patch"),
    ],
)
async def test_patch_options(rig: Rig, query: str, content_type: str, complaint: str) -> None:
    found = await refusal(rig, "PATCH", f"{MAPS}/a?{query}", config_map("a"), content_type=content_type)
    assert found == (422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {complaint}')


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dryRun": ["Some"]}, DRY_RUN),
        (
            {"propagationPolicy": "Maybe"},
            (
                'propagationPolicy: Unsupported value: "Maybe": '
                'supported values: "Foreground", "Background", "Orphan", "nil"'
            ),
        ),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            (
                'propagationPolicy: Invalid value: "Orphan": '
                "orphanDependents and deletionPropagation cannot be both set"
            ),
        ),
    ],
)
@pytest.mark.parametrize("path", [f"{MAPS}/a", MAPS])
async def test_wrong_delete_options(rig: Rig, path: str, options: Any, complaint: str) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    found = await refusal(rig, "DELETE", path, options)
    assert found == (422, "Invalid", f'DeleteOptions.meta.k8s.io "" is invalid: {complaint}')
    assert (await rig.http("GET", f"{MAPS}/a"))[0] == 200


async def test_dry_run_of_every_verb_stores_nothing(rig: Rig) -> None:
    path = f"{DEPLOYMENTS}/web"
    status, made, _ = await rig.http("POST", f"{DEPLOYMENTS}?dryRun=All", deployment())
    assert (status, made["metadata"]["name"]) == (201, "web")
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    assert (await rig.http("GET", path))[0] == 404
    _, stored, _ = await rig.http("POST", DEPLOYMENTS, deployment())

    status, answer, _ = await rig.http("PUT", f"{path}?dryRun=All", deployment(replicas=3))
    assert (status, answer["spec"]["replicas"], answer["metadata"]["generation"]) == (200, 3, 2)
    for content_type, body in (
        (MERGE_PATCH, {"spec": {"replicas": 4}}),
        (JSON_PATCH, [{"op": "replace", "path": "/spec/replicas", "value": 4}]),
        (APPLY, {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 4}}),
    ):
        status, answer, _ = await rig.http(
            "PATCH",
            f"{path}?dryRun=All&fieldManager=m" + ("&force=true" if content_type == APPLY else ""),
            body,
            headers={"Content-Type": content_type},
        )
        assert (status, answer["spec"]["replicas"]) == (200, 4), answer
    status, answer, _ = await rig.http(
        "PUT",
        f"{path}/scale?dryRun=All",
        {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": "web"},
            "spec": {"replicas": 9},
        },
    )
    assert (status, answer["spec"]["replicas"]) == (200, 9)
    status, answer, _ = await rig.http("DELETE", f"{path}?dryRun=All")
    assert (status, answer["status"]) == (200, "Success")
    status, answer, _ = await rig.http("DELETE", path, {"dryRun": ["All"]})
    assert (status, answer["status"]) == (200, "Success")
    status, answer, _ = await rig.http("DELETE", f"{DEPLOYMENTS}?dryRun=All")
    assert (status, [item["metadata"]["name"] for item in answer["items"]]) == (200, ["web"])
    assert (await rig.http("GET", path))[1] == stored


async def test_a_body_of_delete_options_counts_alone(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    status, _, _ = await rig.http("DELETE", f"{MAPS}/a?dryRun=All", {"propagationPolicy": "Background"})
    assert status == 200
    assert (await rig.http("GET", f"{MAPS}/a"))[0] == 404


async def test_the_user_agent_names_the_manager(rig: Rig) -> None:
    _, answer, _ = await rig.http(
        "POST", MAPS, config_map("a", x="1"), headers={"User-Agent": "kubectl/v1.37.0 (linux/amd64)"}
    )
    (entry,) = answer["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("kubectl", "Update")
