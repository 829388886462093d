"""A defined kind is served like any other, from its definition on and until its deletion."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.apiserver.customresources.established import condition, define, until
from tests.apiserver.customresources.samples import CRDS, ROOT, cron_tab, definition, version
from tests.apiserver.rig import Rig, running
from tests.timing import PATIENCE_S, least_awaited, process_seconds
from wherry.api.resource import Resource
from wherry.apiserver.customresources import controller
from wherry.apiserver.customresources.controller import CustomResources
from wherry.client.cache import Cache
from wherry.kit.clock import SystemClock
from wherry.objects.meta import Object
from wherry.store.base import Page

CRD = f"{CRDS}/crontabs.stable.example.com"
CRON_TABS = Resource(
    group="stable.example.com", version="v1", kind="CronTab", plural="crontabs", namespaced=True
)


async def test_a_definition_is_established_at_once(rig: Rig) -> None:
    crd = await define(rig, definition())
    assert condition(crd, "NamesAccepted") == "True"
    assert crd["status"]["acceptedNames"]["listKind"] == "CronTabList"
    assert crd["status"]["storedVersions"] == ["v1"]
    status, body, _ = await rig.http("GET", ROOT)
    assert (status, body["kind"], body["items"]) == (200, "CronTabList", [])


async def test_a_kind_is_served_within_a_second_of_its_definition() -> None:
    async def served(rig: Rig) -> None:
        status, _, _ = await rig.http("POST", CRDS, definition())
        assert status == 201
        while (await rig.http("GET", ROOT))[0] != 200:
            pass

    async def seconds() -> float:
        async with running() as rig:
            return await process_seconds(lambda: served(rig))

    assert await least_awaited(seconds, 1) < 1


async def test_discovery_and_openapi_know_the_kind(crons: Rig) -> None:
    _, body, _ = await crons.http("GET", "/apis/stable.example.com/v1")
    names = {entry["name"]: entry for entry in body["resources"]}
    assert set(names) == {"crontabs", "crontabs/status", "crontabs/scale"}
    assert names["crontabs"]["shortNames"] == ["ct"]
    assert names["crontabs/scale"]["kind"] == "Scale"
    _, body, _ = await crons.http("GET", "/openapi/v3/apis/stable.example.com/v1")
    schema = body["components"]["schemas"]["com.example.stable.v1.CronTab"]
    assert schema["properties"]["spec"]["properties"]["image"]["default"] == "busybox"


async def test_objects_are_defaulted_pruned_and_stored(crons: Rig) -> None:
    sent = cron_tab(ports=[{"name": "web"}], nonsense=1, free={"a": {"b": 1}})
    status, body, headers = await crons.http("POST", ROOT, sent)
    assert status == 201, body
    assert body["spec"] == {
        "cronSpec": "* * * * */5",
        "image": "busybox",
        "ports": [{"name": "web", "port": 80}],
        "free": {"a": {"b": 1}},
    }
    assert body["metadata"]["generation"] == 1
    assert 'unknown field \\"spec.nonsense\\"' in headers["Warning"]
    status, body, _ = await crons.http("POST", ROOT + "?fieldValidation=Strict", sent)
    assert status == 400
    assert 'strict decoding error: unknown field "spec.nonsense"' in body["message"]


async def test_wrong_objects_are_refused_in_upstreams_words(crons: Rig) -> None:
    status, body, _ = await crons.http("POST", ROOT, cron_tab(replicas=0, color="green", cronSpec=5))
    assert (status, body["reason"]) == (422, "Invalid")
    assert 'CronTab.stable.example.com "a" is invalid: [' in body["message"]
    for text in (
        'spec.cronSpec: Invalid value: "integer": spec.cronSpec in body must be of type string: "integer"',
        "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1",
        'spec.color: Unsupported value: "green": supported values: "red", "blue"',
    ):
        assert text in body["message"]


async def test_status_is_a_place_of_its_own(crons: Rig) -> None:
    sent = {**cron_tab(replicas=2), "status": {"phase": "Early"}}
    _, made, _ = await crons.http("POST", ROOT, sent)
    assert "status" not in made
    made["status"] = {"phase": "Done"}
    made["spec"]["replicas"] = 9
    status, body, _ = await crons.http("PUT", f"{ROOT}/a/status", made)
    assert (status, body["status"], body["spec"]["replicas"]) == (200, {"phase": "Done"}, 2)
    assert body["metadata"]["generation"] == 1


async def test_scale_reads_and_writes_the_declared_paths(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab(replicas=2))
    status, body, _ = await crons.http("GET", f"{ROOT}/a/scale")
    assert (status, body["kind"], body["spec"]) == (200, "Scale", {"replicas": 2})
    body["spec"]["replicas"] = 4
    status, body, _ = await crons.http("PUT", f"{ROOT}/a/scale", body)
    assert (status, body["spec"]) == (200, {"replicas": 4})
    _, body, _ = await crons.http("GET", f"{ROOT}/a")
    assert (body["spec"]["replicas"], body["metadata"]["generation"]) == (4, 2)


async def test_columns_are_the_declared_ones(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab(replicas=3))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    _, body, _ = await crons.http("GET", ROOT, headers=accept)
    shown = [(column["name"], column["priority"]) for column in body["columnDefinitions"]]
    assert shown == [("Name", 0), ("Spec", 0), ("Replicas", 1), ("Age", 0)]
    assert body["rows"][0]["cells"][:3] == ["a", "* * * * */5", 3]


async def test_selectable_fields_select(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab("a", color="red"))
    await crons.http("POST", ROOT, cron_tab("b", color="blue"))
    _, body, _ = await crons.http("GET", ROOT + "?fieldSelector=spec.color%3Dblue")
    assert [item["metadata"]["name"] for item in body["items"]] == ["b"]
    status, body, _ = await crons.http("GET", ROOT + "?fieldSelector=spec.image%3Dx")
    assert status == 400


async def test_each_version_has_its_own_selectable_fields(rig: Rig) -> None:
    by_image = [{"jsonPath": ".spec.image"}]
    await define(rig, definition(version("v1"), version("v2", storage=False, selectableFields=by_image)))
    await rig.http("POST", ROOT, cron_tab("a", color="red"))
    await rig.http("POST", ROOT, cron_tab("b", image="x"))
    other = ROOT.replace("/v1/", "/v2/")
    _, body, _ = await rig.http("GET", f"{other}?fieldSelector=spec.image%3Dx")
    assert [item["metadata"]["name"] for item in body["items"]] == ["b"]
    for path, field in ((ROOT, "spec.image"), (other, "spec.color")):
        status, body, _ = await rig.http("GET", f"{path}?fieldSelector={field}%3Dx")
        assert (status, body["message"]) == (400, f"field label not supported: {field}")


async def test_apply_merges_lists_by_their_keys(crons: Rig) -> None:
    async def apply(manager: str, ports: list[Any]) -> Any:
        body = json.dumps(cron_tab(ports=ports))
        path = f"{ROOT}/a?fieldManager={manager}"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        status, body, _ = await crons.http("PATCH", path, body, headers=headers)
        assert status in (200, 201), body
        return body

    await apply("one", [{"name": "web", "port": 1}])
    body: Any = await apply("two", [{"name": "dns", "port": 2}])
    assert {port["name"] for port in body["spec"]["ports"]} == {"web", "dns"}
    assert [entry["manager"] for entry in body["metadata"]["managedFields"]] == ["one", "two"]


async def test_patches_and_replacement(crons: Rig) -> None:
    _, made, _ = await crons.http("POST", ROOT, cron_tab())
    headers = {"Content-Type": "application/merge-patch+json"}
    status, body, _ = await crons.http("PATCH", f"{ROOT}/a", '{"spec":{"replicas":3}}', headers=headers)
    assert (status, body["spec"]["replicas"]) == (200, 3)
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    status, body, _ = await crons.http("PATCH", f"{ROOT}/a", '{"spec":{"replicas":4}}', headers=headers)
    assert status == 415
    del made["metadata"]["resourceVersion"]
    status, body, _ = await crons.http("PUT", f"{ROOT}/a", made)
    assert status == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in body["message"]


async def test_versions_share_objects(rig: Rig) -> None:
    await define(rig, definition(version("v1"), version("v2", storage=False)))
    await rig.http("POST", ROOT, cron_tab())
    status, body, _ = await rig.http("GET", ROOT.replace("/v1/", "/v2/") + "/a")
    assert (status, body["apiVersion"]) == (200, "stable.example.com/v2")
    body["spec"]["replicas"] = 2
    status, body, _ = await rig.http("PUT", ROOT.replace("/v1/", "/v2/") + "/a", body)
    assert status == 200, body
    _, body, _ = await rig.http("GET", f"{ROOT}/a")
    assert (body["apiVersion"], body["spec"]["replicas"]) == ("stable.example.com/v1", 2)
    entry = await rig.store.get("/registry/stable.example.com/crontabs/default/a")
    assert entry is not None
    assert json.loads(entry.value)["apiVersion"] == "stable.example.com/v1"


async def test_a_new_default_shows_in_old_objects(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab())
    _, crd, _ = await crons.http("GET", CRD)
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["replicas"]["default"] = 7
    status, body, _ = await crons.http("PUT", CRD, crd)
    assert status == 200, body
    body = await until(crons, f"{ROOT}/a", lambda obj: "replicas" in obj["spec"])
    assert body["spec"]["replicas"] == 7


async def test_deletion_takes_the_objects_along_and_ends_watches(crons: Rig) -> None:
    await crons.http("POST", ROOT, cron_tab())
    url = f"{crons.server.url}{ROOT}?watch=true"
    headers = {"Authorization": "Bearer admin-token"}
    async with crons.session.get(url, headers=headers) as watch:
        status, body, _ = await crons.http("DELETE", CRD)
        assert (status, condition(body, "Terminating")) == (200, "True")
        async with asyncio.timeout(PATIENCE_S):
            types = [json.loads(line)["type"] async for line in watch.content]
    assert types == ["ADDED", "DELETED"]
    await until(crons, CRD, lambda obj: obj.get("code") == 404)
    await until(crons, ROOT, lambda obj: obj.get("code") == 404)
    status, _, _ = await crons.http("GET", "/apis/stable.example.com/v1")
    assert status == 404
    assert (await crons.store.list("/registry/stable.example.com/")).entries == []


async def test_an_object_with_a_finalizer_holds_the_definition(crons: Rig) -> None:
    held = cron_tab()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await crons.http("POST", ROOT, held)
    await crons.http("DELETE", CRD)
    await until(crons, f"{ROOT}/a", lambda obj: "deletionTimestamp" in obj["metadata"])
    status, body, _ = await crons.http("POST", ROOT, cron_tab("b"))
    assert status == 405, body
    headers = {"Content-Type": "application/merge-patch+json"}
    await crons.http("PATCH", f"{ROOT}/a", '{"metadata":{"finalizers":null}}', headers=headers)
    await until(crons, CRD, lambda obj: obj.get("code") == 404)


async def test_names_already_taken_are_not_accepted(crons: Rig) -> None:
    other = definition()
    other["metadata"]["name"] = "others.stable.example.com"
    other["spec"]["names"] = {
        "plural": "others",
        "singular": "other",
        "kind": "CronTab",
        "listKind": "CronTabList",
    }
    await crons.http("POST", CRDS, other)
    path = f"{CRDS}/others.stable.example.com"
    crd = await until(crons, path, lambda obj: condition(obj, "NamesAccepted") == "False")
    told = {c["type"]: (c["reason"], c["message"]) for c in crd["status"]["conditions"]}
    assert told["NamesAccepted"] == ("ListKindConflict", '"CronTabList" is already in use')
    assert told["Established"] == ("NotAccepted", "not all names are accepted")
    await crons.http("DELETE", CRD)
    await until(crons, path, lambda obj: condition(obj, "Established") == "True")


@pytest.mark.parametrize(
    ("group", "plural", "kind"),
    [
        ("rbac.authorization.k8s.io", "clusterroles", "ClusterRole"),
        ("apiregistration.k8s.io", "apiservices", "APIService"),
    ],
)
async def test_no_definition_takes_the_place_of_a_built_in_kind(
    rig: Rig, group: str, plural: str, kind: str
) -> None:
    """Else its objects would be roles nobody checked, and its end the end of all real ones."""
    path = f"/apis/{group}/v1/{plural}"
    _, before, _ = await rig.http("GET", path)
    crd = definition()
    crd["metadata"] |= {
        "name": f"{plural}.{group}",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a test"},
    }
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    crd["spec"] |= {"group": group, "names": names, "scope": "Cluster"}
    await define(rig, crd)
    _, found, _ = await rig.http("GET", path)
    assert [item["metadata"]["name"] for item in found["items"]] == [
        item["metadata"]["name"] for item in before["items"]
    ]
    await rig.http("DELETE", f"{CRDS}/{plural}.{group}")
    await until(rig, f"{CRDS}/{plural}.{group}", lambda obj: obj.get("code") == 404)
    _, found, _ = await rig.http("GET", path)
    assert len(found["items"]) == len(before["items"]) > 0


async def test_a_definition_that_could_not_be_served_is_tried_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [RuntimeError("broken"), OSError("no descriptors")]
    serve = CustomResources._serve

    async def breaks(self: CustomResources, crd: Object) -> None:
        if faults:
            raise faults.pop()
        await serve(self, crd)

    monkeypatch.setattr(controller, "RETRY_S", 0.05)
    monkeypatch.setattr(CustomResources, "_serve", breaks)
    await define(rig, definition())
    await until(rig, ROOT, lambda body: body.get("kind") == "CronTabList")
    assert not faults


async def test_a_definition_that_changes_while_its_objects_load_ends_nobody(
    crons: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: ended.append(context))
    loading, read = asyncio.Event(), crons.store.list

    async def list_(prefix: str, **options: Any) -> Page:
        if "crontabs" in prefix and not loading.is_set():
            loading.set()
            await asyncio.Event().wait()
        return await read(prefix, **options)

    monkeypatch.setattr(crons.store, "list", list_)
    cache = Cache(crons.admin, SystemClock())
    informer = cache.add(CRON_TABS)
    starting = asyncio.ensure_future(cache.start())
    await loading.wait()
    listing = asyncio.ensure_future(crons.http("GET", ROOT))
    changed = definition(version(additionalPrinterColumns=[]), version("v2", storage=False))
    _, stored, _ = await crons.http("GET", CRD)
    changed["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
    assert (await crons.http("PUT", CRD, changed))[0] == 200
    status, body, _ = await listing
    assert (status, body.get("message")) in ((200, None), (503, "apiserver cacher is stopped"))
    async with asyncio.timeout(PATIENCE_S):
        await starting
    assert informer.synced
    assert ended == []
    await cache.close()
