"""Clients that speak protobuf, over HTTPS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import ROOT, cron_tab, definition
from tests.apiserver.rig import Rig, config_map, pod
from tests.timing import PATIENCE_S
from wherry.api import protobuf
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.objects.meta import Object

PROTOBUF = "application/vnd.kubernetes.protobuf"
CLIENT_GO = f"{PROTOBUF},application/json"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
PARTIAL = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@asynccontextmanager
async def asked(
    rig: Rig, method: str, path: str, body: bytes | None = None, accept: str = CLIENT_GO, **more: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    """A request as a Go client sends it."""
    headers = {"Authorization": "Bearer admin-token", "Accept": accept}
    headers["Content-Type"] = more.get("content_type", PROTOBUF)
    if "token" in more:
        headers["Authorization"] = f"Bearer {more['token']}"
    async with rig.session.request(method, rig.server.url + path, data=body, headers=headers) as response:
        yield response


async def told(rig: Rig, method: str, path: str, obj: Object | None = None, **more: str) -> tuple[int, Any]:
    """Send an object in protobuf; the status and the object of the answer, which has to be in protobuf."""
    body = protobuf.encode(obj) if obj is not None else None
    async with asked(rig, method, path, body, **more) as response:
        assert response.headers["Content-Type"] == PROTOBUF
        return response.status, protobuf.decode(await response.read())


class Frames:
    """The events of a watch, read off its frames."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._read = b""

    async def next(self) -> tuple[str, Object]:
        """The next event."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := protobuf.read_frame(self._read)) is None:
                self._read += await self._response.content.readany()
        event_type, obj, end = found
        self._read = self._read[end:]
        return event_type, obj


async def test_objects_are_written_and_read(rig: Rig) -> None:
    status, made = await told(rig, "POST", MAPS, config_map("a", key="größer"))
    assert (status, made["kind"], made["data"]) == (201, "ConfigMap", {"key": "größer"})
    assert await told(rig, "GET", f"{MAPS}/a") == (200, made)
    _, as_json, _ = await rig.http("GET", f"{MAPS}/a")
    assert as_json == made
    made["data"] = {"key": "2"}
    status, updated = await told(rig, "PUT", f"{MAPS}/a", made)
    assert (status, updated["data"]) == (200, {"key": "2"})
    status, gone = await told(rig, "DELETE", f"{MAPS}/a")
    assert (status, gone["kind"], gone["status"]) == (200, "Status", "Success")


async def test_a_pod_is_the_same_in_both_forms(rig: Rig) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    status, made = await told(rig, "POST", PODS, pod("a"))
    assert status == 201, made
    _, as_json, _ = await rig.http("GET", f"{PODS}/a")
    assert as_json == made
    assert made["spec"]["restartPolicy"] == "Always"


async def test_patches_are_json_and_their_answers_protobuf(rig: Rig) -> None:
    await told(rig, "POST", MAPS, config_map("a"))
    patch = b'{"data":{"k":"v"}}'
    async with asked(
        rig, "PATCH", f"{MAPS}/a", patch, content_type="application/merge-patch+json"
    ) as response:
        assert protobuf.decode(await response.read())["data"] == {"k": "v"}


async def test_lists_are_joined_page_by_page(rig: Rig) -> None:
    for name in ("a", "b", "c"):
        await told(rig, "POST", MAPS, config_map(name))
    _, listed = await told(rig, "GET", f"{MAPS}?limit=2")
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "ConfigMapList")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b"]
    assert listed["metadata"]["remainingItemCount"] == 1
    _, rest = await told(rig, "GET", f"{MAPS}?limit=2&continue={listed['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
    _, empty = await told(rig, "GET", "/api/v1/namespaces/nowhere/configmaps")
    assert empty["items"] == []


async def test_watches_send_frames(rig: Rig) -> None:
    _, made = await told(rig, "POST", MAPS, config_map("a"))
    state = "allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    async with asked(rig, "GET", f"{MAPS}?watch=1&{state}") as response:
        assert response.headers["Content-Type"] == f"{PROTOBUF};stream=watch"
        frames = Frames(response)
        assert await frames.next() == ("ADDED", made)
        kind, bookmark = await frames.next()
        assert (kind, bookmark["kind"]) == ("BOOKMARK", "ConfigMap")
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        made["data"] = {"k": "v"}
        _, updated = await told(rig, "PUT", f"{MAPS}/a", made)
        assert await frames.next() == ("MODIFIED", updated)
        await told(rig, "DELETE", f"{MAPS}/a")
        kind, gone = await frames.next()
        assert (kind, gone["metadata"]["name"]) == ("DELETED", "a")
        assert int(gone["metadata"]["resourceVersion"]) > int(updated["metadata"]["resourceVersion"])


async def test_a_watch_that_cannot_be_says_so_in_its_frame(rig: Rig) -> None:
    for value in range(3):
        await rig.http("POST", MAPS, config_map(f"m{value}"))
    await rig.store.compact(rig.store.revision)
    async with asked(rig, "GET", f"{MAPS}?watch=1&resourceVersion=1") as response:
        kind, status = await Frames(response).next()
    assert (kind, status["kind"], status["code"]) == ("ERROR", "Status", 410)


@pytest.mark.parametrize(
    ("method", "path", "token", "code", "reason"),
    [
        ("GET", f"{MAPS}/missing", "admin-token", 404, "NotFound"),
        ("GET", "/apis/example.com/v1/widgets", "admin-token", 404, "NotFound"),
        ("GET", f"{MAPS}/missing", "alice-token", 403, "Forbidden"),
        ("GET", f"{MAPS}/missing", "unknown", 401, "Unauthorized"),
    ],
)
async def test_errors_are_statuses_in_protobuf(
    rig: Rig, method: str, path: str, token: str, code: int, reason: str
) -> None:
    status, error = await told(rig, method, path, token=token)
    assert (status, error["kind"], error["code"], error["reason"]) == (code, "Status", code, reason)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROTOBUF, PROTOBUF),
        (f"{PROTOBUF};stream=watch,application/json", PROTOBUF),
        (f"application/json;q=0.9,{PROTOBUF}", PROTOBUF),
        (f"{PROTOBUF};q=0.5,application/json", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        (f"{PROTOBUF};as=Table;g=meta.k8s.io;v=v1,application/json", "application/json"),
    ],
)
async def test_which_form_is_sent(rig: Rig, accept: str, content_type: str) -> None:
    for path in ("/api/v1/namespaces/default", "/api/v1/namespaces"):
        async with asked(rig, "GET", path, accept=accept) as response:
            assert (response.status, response.headers["Content-Type"]) == (200, content_type)


async def test_what_no_form_can_be(rig: Rig) -> None:
    async with asked(rig, "GET", "/api/v1/namespaces/default", accept="text/html") as response:
        error = await response.json()
    assert error["code"] == 406
    assert error["message"] == (
        "only the following media types are accepted: application/json, application/yaml, " + PROTOBUF
    )


async def test_bare_metadata(rig: Rig) -> None:
    await told(rig, "POST", MAPS, config_map("a", key="v"))
    _, partial = await told(rig, "GET", f"{MAPS}/a", accept=PARTIAL)
    assert (partial["apiVersion"], partial["kind"]) == ("meta.k8s.io/v1", "PartialObjectMetadata")
    assert partial["metadata"]["name"] == "a"
    assert "data" not in partial
    _, listed = await told(rig, "GET", MAPS, accept=PARTIAL.replace("Metadata;", "MetadataList;"))
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    async with asked(rig, "GET", f"{MAPS}?watch=1", accept=PARTIAL) as response:
        assert await Frames(response).next() == ("ADDED", partial)


async def test_objects_of_another_version_than_stored(rig: Rig) -> None:
    scaler = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 80,
        },
    }
    path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    status, made = await told(rig, "POST", path.format("v1"), scaler)
    assert status == 201, made
    for version in ("v1", "v2"):
        _, as_json, _ = await rig.http("GET", path.format(version) + "/a")
        assert await told(rig, "GET", path.format(version) + "/a") == (200, as_json)
        _, listed = await told(rig, "GET", path.format(version))
        assert [item["spec"] for item in listed["items"]] == [as_json["spec"]]
        async with asked(rig, "GET", path.format(version) + "?watch=1") as response:
            assert await Frames(response).next() == ("ADDED", as_json)


async def test_subresources_take_and_give_other_kinds(rig: Rig) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{"name": "web", "image": "nginx"}]},
            },
        },
    }
    root = "/apis/apps/v1/namespaces/default/deployments"
    status, made = await told(rig, "POST", root, deployment)
    assert (status, made["spec"]["replicas"]) == (201, 0)
    _, scale = await told(rig, "GET", f"{root}/a/scale")
    assert (scale["apiVersion"], scale["kind"]) == ("autoscaling/v1", "Scale")
    scale["spec"] = {"replicas": 2}
    status, scaled = await told(rig, "PUT", f"{root}/a/scale", scale)
    assert (status, scaled["spec"]) == (200, {"replicas": 2})
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await rig.http("POST", accounts, {"metadata": {"name": "default"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    status, token = await told(rig, "POST", f"{accounts}/default/token", request)
    assert (status, token["kind"]) == (201, "TokenRequest")
    assert token["status"]["token"]


async def test_options_of_a_deletion(rig: Rig) -> None:
    _, made = await told(rig, "POST", MAPS, config_map("a"))
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "another"}}
    status, error = await told(rig, "DELETE", f"{MAPS}/a", options)
    assert (status, error["reason"]) == (409, "Conflict")
    options["preconditions"] = {"uid": made["metadata"]["uid"]}
    status, _ = await told(rig, "DELETE", f"{MAPS}/a", options)
    assert status == 200


@pytest.mark.parametrize("body", [b"k8s\x00\xff", b"no protobuf", protobuf.encode(config_map("a"))[:-6]])
async def test_bodies_that_cannot_be_read(rig: Rig, body: bytes) -> None:
    async with asked(rig, "POST", MAPS, body) as response:
        error = protobuf.decode(await response.read())
    assert (error["code"], error["reason"]) == (400, "BadRequest")


async def test_custom_resources_are_json(rig: Rig) -> None:
    await define(rig, definition())
    await rig.http("POST", ROOT, cron_tab())
    for path in (ROOT, f"{ROOT}/a"):
        async with asked(rig, "GET", path) as response:
            assert (response.status, response.content_type) == (200, "application/json")
    status, error = await told(rig, "GET", f"{ROOT}/a", accept=PROTOBUF)
    assert status == 406
    assert error["message"] == (
        "only the following media types are accepted: application/json, application/yaml"
    )
    _, partial = await told(rig, "GET", f"{ROOT}/a", accept=PARTIAL)
    assert (partial["kind"], partial["metadata"]["name"]) == ("PartialObjectMetadata", "a")
    async with asked(rig, "POST", ROOT, b"k8s\x00") as response:
        assert response.status == 415


async def test_what_is_written_in_process_is_seen_in_protobuf(rig: Rig) -> None:
    async with asked(rig, "GET", f"{MAPS}?watch=1") as response:
        frames = Frames(response)
        made = await rig.admin.create(CONFIG_MAPS, config_map("a", k="v"))
        assert await frames.next() == ("ADDED", made)
