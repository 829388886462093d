"""Create, update, patch and what the server does to metadata on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apiserver.rig import Rig, config_map, running
from wherry.api.batch.jobs import JOBS
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.apiserver.cached import Cached
from wherry.client.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_create_sets_what_belongs_to_the_server(rig: Rig) -> None:
    sent = config_map("a", x="1")
    sent["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9}
    made = await rig.admin.create(CONFIG_MAPS, sent)
    meta = made["metadata"]
    assert meta["uid"] != "mine"
    assert not meta["creationTimestamp"].startswith("2001")
    assert "generation" not in meta
    assert int(meta["resourceVersion"]) == rig.store.revision
    assert meta["managedFields"][0]["manager"] == "test"
    assert made == await rig.admin.get(CONFIG_MAPS, "a", "default")
    assert sent["metadata"]["uid"] == "mine", "what was handed over must not be changed"


async def test_create_answers_the_same_over_http_and_locally(rig: Rig) -> None:
    status, over_http, _ = await rig.http("POST", MAPS, config_map("a", x="1"))
    assert status == 201
    assert over_http == await rig.admin.get(CONFIG_MAPS, "a", "default")


async def test_generated_names_differ(rig: Rig) -> None:
    sent = config_map("", x="1")
    sent["metadata"] = {"generateName": "a-", "namespace": "default"}
    names = {(await rig.admin.create(CONFIG_MAPS, sent))["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("a-") and len(name) == 7 for name in names)


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "message"),
    [
        ("POST", MAPS, config_map("b", namespace="other"), 400,
         "the namespace of the provided object does not match the namespace sent on the request"),
        ("PUT", f"{MAPS}/a", config_map("b"), 400,
         "the name of the object (b) does not match the name on the URL (a)"),
        ("POST", MAPS, config_map("a"), 409, 'configmaps "a" already exists'),
        ("PUT", f"{MAPS}/none", config_map("none"), 404, 'configmaps "none" not found'),
        ("POST", "/api/v1/namespaces/none/configmaps", config_map("b", namespace="none"), 404,
         'namespaces "none" not found'),
        ("POST", f"{MAPS}?dryRun=Some", config_map("b"), 422,
         ('CreateOptions.meta.k8s.io "" is invalid: dryRun: '
          'Unsupported value: ["Some"]: supported values: "All"')),
        ("POST", MAPS, {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "b"}}, 400,
         ('Secret in version "v1" cannot be handled as a ConfigMap: '
          "converting (v1.Secret) to (core.ConfigMap): unknown conversion")),
        ("POST", MAPS, {"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "b"}}, 400,
         ('ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered '
          'for version "v2" in scheme "pkg/api/legacyscheme/scheme.go:30"')),
        ("POST", f"{MAPS}?fieldValidation=Strict", {**config_map("b"), "dataa": {}}, 400,
         ('ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
          'unknown field "dataa"')),
        ("DELETE", f"{MAPS}/none", None, 404, 'configmaps "none" not found'),
        ("POST", f"{MAPS}/a", config_map("a"), 405,
         "the server does not allow this method on the requested resource"),
        ("GET", "/api/v1/namespaces/default/nothings", None, 404,
         "the server could not find the requested resource"),
        ("GET", "/apis/none/v1/things", None, 404, "the server could not find the requested resource"),
        ("GET", "/nonsense", None, 404, "the server could not find the requested resource"),
    ],
)  # fmt: skip
async def test_refusals(rig: Rig, method: str, path: str, body: Any, code: int, message: str) -> None:
    await rig.admin.create(CONFIG_MAPS, config_map("a"))
    status, answer, _ = await rig.http(method, path, body)
    assert (status, answer["message"]) == (code, message)
    assert answer["kind"] == "Status"
    assert answer["code"] == code


async def test_repeated_fields_are_found(rig: Rig) -> None:
    body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}'
    headers = {"Content-Type": "application/json"}
    status, answer, _ = await rig.http("POST", f"{MAPS}?fieldValidation=Strict", body, headers=headers)
    assert status == 400
    assert 'duplicate field "data.x"' in answer["message"]
    status, _, got = await rig.http("POST", MAPS, body, headers=headers)
    assert status == 201
    assert got["Warning"] == '299 - "duplicate field \\"data.x\\""'


async def test_yaml_is_read_and_written(rig: Rig) -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n"
    headers = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    status, text, got = await rig.http("POST", MAPS, body, headers=headers)
    assert status == 201
    assert got["Content-Type"] == "application/yaml"
    assert "kind: ConfigMap" in text


@pytest.mark.parametrize(
    ("headers", "code"),
    [({"Content-Type": "text/csv"}, 415), ({"Content-Type": "application/json", "Accept": "text/csv"}, 406)],
)
async def test_media_types(rig: Rig, headers: dict[str, str], code: int) -> None:
    status, _, _ = await rig.http("POST", MAPS, json.dumps(config_map("a")), headers=headers)
    assert status == code


async def test_a_stale_update_is_a_conflict(rig: Rig) -> None:
    first = await rig.admin.create(CONFIG_MAPS, config_map("a", x="1"))
    await rig.admin.update(CONFIG_MAPS, {**first, "data": {"x": "2"}})
    with pytest.raises(ApiError, match="the object has been modified") as caught:
        await rig.admin.update(CONFIG_MAPS, {**first, "data": {"x": "3"}})
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")


async def test_an_update_of_another_incarnation_is_a_conflict(rig: Rig) -> None:
    made = await rig.admin.create(CONFIG_MAPS, config_map("a"))
    made["metadata"]["uid"] = "11111111-2222-4333-8444-555555555555"
    with pytest.raises(ApiError, match="Precondition failed: UID in precondition"):
        await rig.admin.update(CONFIG_MAPS, made)


async def test_an_update_that_changes_nothing_writes_nothing(rig: Rig) -> None:
    made = await rig.admin.create(CONFIG_MAPS, config_map("a", x="1"))
    before = rig.store.revision
    assert await rig.admin.update(CONFIG_MAPS, made) == made
    patched = await rig.admin.patch(CONFIG_MAPS, "a", "default", {"data": {"x": "1"}})
    assert patched == made
    assert rig.store.revision == before


async def test_dry_run_stores_nothing(rig: Rig) -> None:
    before = rig.store.revision
    status, answer, _ = await rig.http("POST", f"{MAPS}?dryRun=All", config_map("a"))
    assert status == 201
    assert "resourceVersion" not in answer["metadata"]
    assert rig.store.revision == before
    assert (await rig.http("GET", f"{MAPS}/a"))[0] == 404


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MERGE_PATCH, {"data": {"x": "2", "y": None}}),
        (JSON_PATCH, [{"op": "replace", "path": "/data/x", "value": "2"},
                      {"op": "remove", "path": "/data/y"}]),
        ("application/strategic-merge-patch+json", {"data": {"x": "2", "y": None}}),
    ],
)  # fmt: skip
async def test_patches(rig: Rig, content_type: str, body: Any) -> None:
    await rig.admin.create(CONFIG_MAPS, config_map("a", x="1", y="1"))
    status, answer, _ = await rig.http(
        "PATCH", f"{MAPS}/a", json.dumps(body), headers={"Content-Type": content_type}
    )
    assert status == 200
    assert answer["data"] == {"x": "2"}


async def test_a_patch_is_applied_again_when_overtaken(rig: Rig) -> None:
    await rig.admin.create(CONFIG_MAPS, config_map("a"))
    keys = [f"k{number}" for number in range(10)]

    async def add(key: str) -> None:
        await rig.admin.patch(CONFIG_MAPS, "a", "default", {"data": {key: "1"}})

    import asyncio

    await asyncio.gather(*(add(key) for key in keys))
    assert sorted((await rig.admin.get(CONFIG_MAPS, "a", "default"))["data"]) == sorted(keys)


async def test_a_patch_that_names_its_version_is_a_conflict_when_stale(rig: Rig) -> None:
    made = await rig.admin.create(CONFIG_MAPS, config_map("a"))
    await rig.admin.patch(CONFIG_MAPS, "a", "default", {"data": {"x": "1"}})
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"x": "2"}}
    with pytest.raises(ApiError, match="the object has been modified"):
        await rig.admin.patch(CONFIG_MAPS, "a", "default", stale)


async def test_apply_creates_then_owns_then_conflicts(rig: Rig) -> None:
    headers = {"Content-Type": APPLY_PATCH}
    path = f"{MAPS}/a?fieldManager="
    status, made, _ = await rig.http(
        "PATCH", path + "one", json.dumps(config_map("a", x="1")), headers=headers
    )
    assert status == 201
    assert made["metadata"]["managedFields"][0]["operation"] == "Apply"
    status, answer, _ = await rig.http(
        "PATCH", path + "two", json.dumps(config_map("a", x="2")), headers=headers
    )
    assert status == 409
    assert answer["message"].startswith('Apply failed with 1 conflict: conflict with "one"')
    status, answer, _ = await rig.http(
        "PATCH", path + "two&force=true", json.dumps(config_map("a", x="2")), headers=headers
    )
    assert (status, answer["data"]) == (200, {"x": "2"})
    status, answer, _ = await rig.http("PATCH", path, json.dumps(config_map("a")), headers=headers)
    assert answer["message"] == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


async def test_apply_without_change_writes_nothing(rig: Rig) -> None:
    headers = {"Content-Type": APPLY_PATCH}
    path = f"{MAPS}/a?fieldManager=one"
    body = json.dumps(config_map("a", x="1"))
    _, made, _ = await rig.http("PATCH", path, body, headers=headers)
    status, again, _ = await rig.http("PATCH", path, body, headers=headers)
    assert (status, again) == (200, made)


async def test_an_identical_apply_of_a_secret_with_texts_writes_nothing() -> None:
    clock = FakeClock()
    async with running(clock) as rig:
        headers = {"Content-Type": APPLY_PATCH}
        path = "/api/v1/namespaces/default/secrets/a?fieldManager=one"
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"x": "1"}}
        _, made, _ = await rig.http("PATCH", path, json.dumps(secret), headers=headers)
        await clock.advance(5)
        status, again, _ = await rig.http("PATCH", path, json.dumps(secret), headers=headers)
        assert (status, again) == (200, made)


async def test_what_the_server_fills_in_has_no_owner(rig: Rig) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]}
            }
        },
    }
    made = await rig.admin.create(JOBS, {**job, "metadata": {"name": "j", "namespace": "default"}})
    owned = made["metadata"]["managedFields"][0]["fieldsV1"]
    assert "f:selector" not in owned["f:spec"]
    assert "f:metadata" not in owned["f:spec"]["f:template"]
    headers = {"Content-Type": APPLY_PATCH}
    path = "/apis/batch/v1/namespaces/default/jobs/j?fieldManager=two"
    status, answer, _ = await rig.http("PATCH", path, json.dumps(job), headers=headers)
    assert (status, answer["spec"]) == (200, made["spec"])


async def test_invalid_objects_name_every_field(rig: Rig) -> None:
    bad = config_map("Not_A_Name")
    with pytest.raises(ApiError, match=r'ConfigMap "Not_A_Name" is invalid: metadata\.name') as caught:
        await rig.admin.create(CONFIG_MAPS, bad)
    assert caught.value.code == 422
    assert caught.value.details["causes"][0]["field"] == "metadata.name"


async def test_namespaces_are_created_with_their_label(rig: Rig) -> None:
    made = await rig.admin.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    )
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}
    assert made["spec"]["finalizers"] == ["kubernetes"]


async def test_a_name_that_is_taken_is_told_without_reading_who_has_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.admin.create(CONFIG_MAPS, config_map("taken"))
    monkeypatch.delattr(Cached, "decode")
    with pytest.raises(ApiError, match=r'^configmaps "taken" already exists$'):
        await rig.admin.create(CONFIG_MAPS, config_map("taken"))
