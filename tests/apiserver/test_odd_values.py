"""Stored values nobody should have written: each is left out or harmless, and the server starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest

from tests.apiserver.customresources.established import condition, until
from tests.apiserver.customresources.samples import CRDS, ROOT, definition
from tests.apiserver.rig import ADMIN, ALICE, Rig, api_server, config_map, founded, running
from tests.timing import PATIENCE_S
from wherry.api.catalog import BUILTIN
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.resource import Resource
from wherry.apiserver import presentation
from wherry.apiserver.cacher import CachedEvent
from wherry.client.api import Client
from wherry.kit.clock import FakeClock, SystemClock
from wherry.objects.errors import ApiError
from wherry.store import writes

MAPS = "/api/v1/namespaces/default/configmaps"
IGNORE = "ignoreStoreReadErrorWithClusterBreakingPotential"

ODD: Mapping[str, Any] = {
    "no-json": b"\xff\xfe",
    "empty": b"",
    "number": 5,
    "list": [],
    "no-kind": {"metadata": {"name": "no-kind"}},
    "metadata-list": {"metadata": [1]},
    "metadata-null": {"metadata": None},
    "labels-list": {"metadata": {"name": "labels-list", "labels": [1], "annotations": 3, "finalizers": 7}},
    "spec-number": {"metadata": {"name": "spec-number"}, "spec": 5, "status": 5, "data": 5, "rules": 5},
    "spec-list": {"metadata": {"name": "x"}, "spec": [5], "status": [5], "subjects": [5], "webhooks": [5]},
    "spec-null": {"metadata": {"name": "y"}, "spec": None, "status": None, "roleRef": None, "rules": [None]},
}


def stored(resource: Resource, odd: Any) -> bytes:
    """The bytes: with the kind in front where it is an object, so that they look like our own."""
    if isinstance(odd, bytes):
        return odd
    if isinstance(odd, dict) and "kind" not in odd:
        group, version = resource.storage_version or ("", "")
        odd = {"apiVersion": f"{group}/{version}" if group else version, "kind": resource.kind, **odd}
    return orjson.dumps(odd)


async def test_a_server_starts_over_odd_values_of_every_kind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(writes, "_check_size", lambda write, current: None)  # an empty one is not taken now
    store = (await founded()).copy(FakeClock())
    keys = set()
    for resource in BUILTIN:
        if not {"get", "list"} & set(resource.verbs):
            continue
        for name, odd in ODD.items():
            key = resource.key("odd" if resource.namespaced else "", f"odd-{name}")
            if key not in keys:
                keys.add(key)
                await store.create(key, stored(resource, odd))
    server = api_server(store, FakeClock())
    await server.start()
    try:
        for resource in BUILTIN:
            if {"get", "list"} & set(resource.verbs):
                await server.core.registry.of(resource).source.open()
        alice = Client(server.local_transport(ALICE))
        with pytest.raises(ApiError) as refused:
            await alice.get(CONFIG_MAPS, "x", "default")
        assert refused.value.code == 403
        admin = Client(server.local_transport(ADMIN))
        await admin.create(CONFIG_MAPS, config_map("fine"))
    finally:
        await server.close()
        await store.close()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running(SystemClock()) as made:
        await made.store.create("/registry/configmaps/default/bad", stored(CONFIG_MAPS, {"metadata": [1]}))
        await made.http("POST", MAPS, config_map("good"))
        yield made


async def test_what_cannot_be_read_is_left_out_and_named(rig: Rig) -> None:
    status, body, _ = await rig.http("GET", MAPS)
    assert (status, [item["metadata"]["name"] for item in body["items"]]) == (200, ["good"])
    for method, sent in (("GET", None), ("DELETE", None), ("PUT", config_map("bad"))):
        status, body, _ = await rig.http(method, f"{MAPS}/bad", sent)
        assert status == 500, method
        assert body["reason"] == "InternalError"
        assert "corrupt object" in body["message"]
    status, body, _ = await rig.http("POST", MAPS, config_map("bad"))
    assert (status, body["reason"]) == (409, "AlreadyExists")


async def test_what_cannot_be_read_can_be_deleted(rig: Rig) -> None:
    status, body, _ = await rig.http("DELETE", f"{MAPS}/good?{IGNORE}=true")
    assert status == 422
    assert body["message"] == (
        f'configmaps "good" is invalid: {IGNORE}: Invalid value: true: is exclusively used to delete corrupt '
        "object(s), try again by removing this option"
    )
    status, body, _ = await rig.http("DELETE", f"{MAPS}/bad?{IGNORE}=true&gracePeriodSeconds=1")
    assert status == 422
    assert (
        f"{IGNORE}: Invalid value: true: cannot be set together with .gracePeriodSeconds" in body["message"]
    )
    status, body, _ = await rig.http("DELETE", f"{MAPS}?{IGNORE}=true")
    assert status == 422
    status, body, _ = await rig.http("DELETE", f"{MAPS}/bad", {"kind": "DeleteOptions", IGNORE: True})
    assert (status, body["status"]) == (200, "Success")
    status, body, _ = await rig.http("GET", f"{MAPS}/bad")
    assert status == 404
    status, body, _ = await rig.http("POST", MAPS, config_map("bad"))
    assert status == 201


async def test_deleting_the_unreadable_takes_a_permission_of_its_own(rig: Rig) -> None:
    role = {
        "kind": "ClusterRole",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "deleter"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["delete"]}],
    }
    binding = {
        "kind": "ClusterRoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "deleter"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "deleter"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1"
    assert (await rig.http("POST", f"{path}/clusterroles", role))[0] == 201
    assert (await rig.http("POST", f"{path}/clusterrolebindings", binding))[0] == 201
    target = f"{MAPS}/bad?{IGNORE}=true"
    status, body, _ = await rig.http("DELETE", target, token="alice-token")
    assert status == 403
    assert 'not permitted to do "unsafe-delete-ignore-read-errors"' in body["message"]
    role["rules"] = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    assert (await rig.http("PUT", f"{path}/clusterroles/deleter", role))[0] == 200
    assert (await rig.http("DELETE", target, token="alice-token"))[0] == 200


async def test_a_watch_that_cannot_show_an_event_ends_before_the_next(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = presentation.FormLens._line

    def line(self: presentation.FormLens, kind: str, data: bytes, columns: bool) -> bytes:
        if orjson.loads(data)["metadata"]["name"] == "odd":
            raise TypeError("cells of an object nobody foresaw")
        return real(self, kind, data, columns)

    monkeypatch.setattr(presentation.FormLens, "_line", line)
    headers = {
        "Authorization": "Bearer admin-token",
        "Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    }
    url = f"{rig.server.url}{MAPS}?watch=1&resourceVersion={rig.store.revision}"
    async with asyncio.timeout(PATIENCE_S), rig.session.get(url, headers=headers) as response:
        await rig.http("POST", MAPS, config_map("first"))
        first = orjson.loads(await response.content.readline())
        await rig.http("POST", MAPS, config_map("odd"))
        await rig.http("POST", MAPS, config_map("next"))
        rest = await response.content.read()
    assert first["object"]["metadata"]["name"] == "first"
    assert rest == b"", "what comes after a gap must not be shown"


async def test_the_server_itself_begins_anew_after_a_gap(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A definition whose event was lost to a cacher out of step is served all the same."""
    with monkeypatch.context() as patched:
        patched.setattr(CachedEvent, "__init__", lambda *_: 1 / 0)
        await rig.http("POST", CRDS, definition())
    name = definition()["metadata"]["name"]
    await until(rig, f"{CRDS}/{name}", lambda obj: condition(obj, "Established") == "True")
    assert (await rig.http("GET", ROOT))[0] == 200
