"""fieldValidation: every unknown and repeated field is named, in upstream's words and upstream's order.

The bodies are written as text: what stands twice in them would not survive as data.
"""

from __future__ import annotations

import pytest

from tests.apiserver.conformance.asking import (
    APPLY,
    DEPLOYMENTS,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    deployment,
    failure,
    send_text,
)
from tests.apiserver.rig import Rig

JSON = "application/json"
YAML = "application/yaml"
BODY = """{
  "apiVersion": "apps/v1", "kind": "Deployment",
  "metadata": {"name": "other", "name": "web", "unknownMeta": 1, "labels": {"app": "nginx"}},
  "spec": {
    "unknown1": "x", "unknownDupe": "a", "unknownDupe": "b", "paused": true, "paused": false,
    "selector": {"matchLabels": {"app": "nginx"}},
    "template": {
      "metadata": {"labels": {"app": "nginx"}},
      "spec": {"containers": [
        {"name": "nginx", "image": "nginx", "unknownNested": 1,
         "imagePullPolicy": "Always", "imagePullPolicy": "Never"}]}
    }
  }
}"""
YAML_BODY = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: other
  name: web
  unknownMeta: x
  labels: {app: nginx}
spec:
  unknown1: x
  unknownDupe: a
  unknownDupe: b
  paused: true
  paused: false
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      containers:
      - name: nginx
        image: nginx
        unknownNested: x
        imagePullPolicy: Always
        imagePullPolicy: Never
"""
NESTED = "spec.template.spec.containers[0]"
TYPED = [
    'duplicate field "metadata.name"',
    'unknown field "metadata.unknownMeta"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
    'duplicate field "spec.paused"',
    f'unknown field "{NESTED}.unknownNested"',
    f'duplicate field "{NESTED}.imagePullPolicy"',
]
LINES = [
    'line 5: key "name" already set in map',
    'line 11: key "unknownDupe" already set in map',
    'line 13: key "paused" already set in map',
    'line 23: key "imagePullPolicy" already set in map',
]
UNKNOWN = [
    'unknown field "metadata.unknownMeta"',
    f'unknown field "{NESTED}.unknownNested"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
]
IN_YAML = ", ".join(["\n  ".join(["yaml: unmarshal errors:", *LINES]), *UNKNOWN])


@pytest.mark.parametrize(
    ("content_type", "body", "strict", "warnings"),
    [(JSON, BODY, ", ".join(TYPED), TYPED), (YAML, YAML_BODY, IN_YAML, LINES + UNKNOWN)],
)
@pytest.mark.parametrize(("method", "name"), [("POST", ""), ("PUT", "/web")])
async def test_whole_objects(
    rig: Rig, method: str, name: str, content_type: str, body: str, strict: str, warnings: list[str]
) -> None:
    if name:
        await rig.http("POST", DEPLOYMENTS, deployment())
        body = body.replace("app: nginx", "app: web").replace('"app": "nginx"', '"app": "web"')
    path = f"{DEPLOYMENTS}{name}?dryRun=All"
    status, answer, _ = await send_text(rig, method, f"{path}&fieldValidation=Strict", body, content_type)
    assert failure(answer) == (
        400,
        "BadRequest",
        f'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: {strict}',
    )
    for directive in ("", "&fieldValidation=Warn"):
        status, answer, warned = await send_text(rig, method, path + directive, body, content_type)
        assert status in (200, 201), answer
        assert warned == warnings
    _, answer, warned = await send_text(rig, method, f"{path}&fieldValidation=Ignore", body, content_type)
    assert warned == []
    assert "unknown1" not in answer["spec"]
    assert answer["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Never"


MERGE_BODY = """{"spec": {"unknown1": "x", "unknownDupe": "a", "unknownDupe": "b",
  "paused": true, "paused": false,
  "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx", "unknownNested": 1,
    "imagePullPolicy": "Always", "imagePullPolicy": "Never"}]}}}}"""
MERGED = [
    'duplicate field "spec.unknownDupe"',
    'duplicate field "spec.paused"',
    f'duplicate field "{NESTED}.imagePullPolicy"',
    f'unknown field "{NESTED}.unknownNested"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
]
ONLY_REPEATS = '{"spec": {"paused": true, "paused": false}}'
OPERATIONS = """[
  {"op": "add", "path": "/spec/unknown1", "value": "x", "foo": "bar"},
  {"op": "add", "path": "/spec/unknown2", "path": "/spec/unknown3", "value": "x"},
  {"op": "add", "path": "/spec/template/spec/containers/0/unknownNested", "value": "x"}]"""
OPERATED = [
    'json patch unknown field "[0].foo"',
    'json patch duplicate field "[1].path"',
    f'unknown field "{NESTED}.unknownNested"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknown3"',
]


@pytest.mark.parametrize(
    ("content_type", "body", "complaints"),
    [
        (MERGE_PATCH, MERGE_BODY, MERGED),
        (STRATEGIC_PATCH, MERGE_BODY, MERGED),
        (JSON_PATCH, OPERATIONS, OPERATED),
        (MERGE_PATCH, ONLY_REPEATS, ['duplicate field "spec.paused"']),
        (STRATEGIC_PATCH, ONLY_REPEATS, ['duplicate field "spec.paused"']),
    ],
)
async def test_patches(rig: Rig, content_type: str, body: str, complaints: list[str]) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/web?dryRun=All"
    status, answer, _ = await send_text(rig, "PATCH", f"{path}&fieldValidation=Strict", body, content_type)
    assert (status, answer["reason"]) == (422, "Invalid")
    assert answer["message"].startswith(' "" is invalid: patch: Invalid value: "')
    assert answer["message"].endswith(f"strict decoding error: {', '.join(complaints)}")
    (cause,) = answer["details"]["causes"]
    assert (cause["field"], cause["reason"]) == ("patch", "FieldValueInvalid")
    status, answer, warned = await send_text(rig, "PATCH", path, body, content_type)
    assert (status, warned) == (200, complaints), answer
    ignored = await send_text(rig, "PATCH", f"{path}&fieldValidation=Ignore", body, content_type)
    assert (ignored[0], ignored[2]) == (200, [])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MERGE_PATCH, '{"spec": {"replicas": "two"}}'),
        (STRATEGIC_PATCH, '{"spec": {"replicas": "two"}}'),
        (JSON_PATCH, '[{"op": "replace", "path": "/spec/replicas", "value": "two"}]'),
    ],
)
async def test_patches_that_do_not_fit_the_type(rig: Rig, content_type: str, body: str) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    status, answer, _ = await send_text(rig, "PATCH", f"{DEPLOYMENTS}/web", body, content_type)
    assert (status, answer["reason"]) == (422, "Invalid")
    assert answer["message"].startswith(' "" is invalid: patch: Invalid value: "')
    assert answer["message"].endswith(
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    )


async def test_a_strategic_patch_is_shown_as_go_prints_it(rig: Rig) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/web?fieldValidation=Strict"
    body = '{"spec": {"foo": [1, "x", true, null], "bar": {}}}'
    _, answer, _ = await send_text(rig, "PATCH", path, body, STRATEGIC_PATCH)
    assert answer["message"] == (
        ' "" is invalid: patch: Invalid value: "map[spec:map[bar:map[] foo:[1 x true <nil>]]]": '
        'strict decoding error: unknown field "spec.bar", unknown field "spec.foo"'
    )


APPLIED = """{
  "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
  "spec": {
    "paused": false,
    "paused": true,
    "selector": {"matchLabels": {"app": "nginx"}},
    "template": {
      "metadata": {"labels": {"app": "nginx"}},
      "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}
    }
  }
}"""


async def test_applied_repeats(rig: Rig) -> None:
    path = f"{DEPLOYMENTS}/web?fieldManager=m&dryRun=All"
    line = 'line 5: key "paused" already set in map'
    _, answer, _ = await send_text(rig, "PATCH", f"{path}&fieldValidation=Strict", APPLIED, APPLY)
    assert failure(answer) == (
        400,
        "BadRequest",
        f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {line}",
    )
    status, _, warned = await send_text(rig, "PATCH", path, APPLIED, APPLY)
    assert (status, warned) == (201, [line])
    assert (await send_text(rig, "PATCH", f"{path}&fieldValidation=Ignore", APPLIED, APPLY))[2] == []


@pytest.mark.parametrize("directive", ["Ignore", "Warn", "Strict"])
async def test_applied_unknown_fields(rig: Rig, directive: str) -> None:
    body = APPLIED.replace('"paused": false,', "").replace('"image": "nginx"', '"image": "nginx", "foo": 1')
    path = f"{DEPLOYMENTS}/web?fieldManager=m&fieldValidation={directive}"
    _, answer, _ = await send_text(rig, "PATCH", path, body, APPLY)
    assert failure(answer) == (
        500,
        "",
        (
            "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): "
            '.spec.template.spec.containers[name="nginx"].foo: field not declared in schema'
        ),
    )


async def test_applied_items_with_one_key(rig: Rig) -> None:
    container = '{"name": "nginx", "image": "nginx"}'
    body = APPLIED.replace('"paused": false,', "").replace(container, f"{container}, {container}")
    _, answer, _ = await send_text(rig, "PATCH", f"{DEPLOYMENTS}/web?fieldManager=m", body, APPLY)
    assert failure(answer) == (
        500,
        "",
        (
            "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): "
            '.spec.template.spec.containers: duplicate entries for key [name="nginx"]'
        ),
    )


async def test_bodies_of_subresources_are_read_strictly_too(rig: Rig) -> None:
    await rig.http("POST", DEPLOYMENTS, deployment())
    body = '{"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web"}, "spec": {"x": 1}}'
    path = f"{DEPLOYMENTS}/web/scale"
    _, answer, _ = await send_text(rig, "PUT", f"{path}?fieldValidation=Strict", body, JSON)
    assert failure(answer) == (
        400,
        "BadRequest",
        'Scale in version "v1" cannot be handled as a Scale: strict decoding error: unknown field "spec.x"',
    )
    assert (await send_text(rig, "PUT", path, body, JSON))[2] == ['unknown field "spec.x"']
