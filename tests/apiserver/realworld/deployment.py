"""One document of the corpus, deployed the ways people deploy: each step is one way to write or read it.

Everything goes over HTTPS with fieldValidation=Strict, as kubectl and the Go clients send it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tests.apiserver.rig import Rig
from wherry.api import protobuf
from wherry.api.resource import Resource
from wherry.client.transport import APPLY_PATCH, JSON, MERGE_PATCH, STRATEGIC_PATCH
from wherry.objects.meta import Object

STRICT = "fieldValidation=Strict&fieldManager=corpus"
APPLIER = "fieldValidation=Strict&fieldManager=applier&force=true"
PROTOBUF = "application/vnd.kubernetes.protobuf"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@dataclass(frozen=True)
class Deployment:
    """A document, the resource that serves it, and all served versions of its kind."""

    rig: Rig
    document: Object
    resource: Resource
    versions: tuple[Resource, ...]

    @property
    def _namespace(self) -> str:
        return str(self.document["metadata"].get("namespace", ""))

    @property
    def _name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def wanted(self) -> Object:
        """The document without the status, which is written on its own."""
        wanted = copy.deepcopy(self.document)
        if self.resource.has_status and not self._status_is_observed:
            wanted.pop("status", None)
        return wanted

    @property
    def _status_is_observed(self) -> bool:
        """Whether the server itself says how such an object stands: then a status is sent in vain."""
        return self.resource.kind in OBSERVED

    def path(self, resource: Resource | None = None, subresource: str = "") -> str:
        """The object's path, in the version of `resource`."""
        return (resource or self.resource).path(self._namespace, self._name, subresource)

    async def create(self) -> None:
        """A dry run of a server-side apply, then the creation itself."""
        await self._sent("PATCH", f"{self.path()}?{APPLIER}&dryRun=All", self.wanted, 201, APPLY_PATCH)
        made = await self._sent("POST", f"{self.resource.path(self._namespace)}?{STRICT}", self.wanted, 201)
        lost(self.wanted, made, not_kept={"status"} if self._status_is_observed else NOT_KEPT)

    async def write_again(self) -> None:
        """Whatever is sent a second time changes nothing."""
        before = await self.read()
        replaced = self.resource.custom or self.resource.kind in REPLACED
        kind = MERGE_PATCH if replaced else STRATEGIC_PATCH
        patched = await self._sent("PATCH", f"{self.path()}?{STRICT}", self.wanted, 200, kind)
        unchanged(before, patched)
        put = await self._sent("PUT", f"{self.path()}?{STRICT}", before, 200)
        unchanged(before, put)
        bare = self.wanted
        bare["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        if self.resource.kind not in FILLED_BY_SERVER:
            unchanged(before, await self._sent("PUT", f"{self.path()}?{STRICT}", bare, 200))

    async def apply(self) -> None:
        """Server-side apply twice: the first adds a manager, the second changes nothing."""
        first = await self._sent("PATCH", f"{self.path()}?{APPLIER}", self.wanted, 200, APPLY_PATCH)
        managers = {entry["manager"] for entry in first["metadata"].get("managedFields", ())}
        says_something = set(self.wanted) > {"apiVersion", "kind", "metadata"}
        assert "applier" in managers or not says_something
        again = await self._sent("PATCH", f"{self.path()}?{APPLIER}", self.wanted, 200, APPLY_PATCH)
        unchanged(first, again)

    async def write_status(self) -> None:
        """The document's status, through its own path; written again it changes nothing."""
        if not self.resource.has_status:
            return
        path = f"{self.path(subresource='status')}?{STRICT}"
        before = await self.read()
        if "status" in self.document and not self._status_is_observed:
            status = self.document["status"]
            written = await self._sent("PUT", path, {**before, "status": status}, 200)
            lost({"status": status}, written, set())
            unchanged(written, await self._sent("PATCH", path, {"status": status}, 200, MERGE_PATCH))
            before = written
        unchanged(before, await self._sent("PUT", path, before, 200))

    async def read_everywhere(self) -> None:
        """In every served version, written back as it was read; as a table row; in protobuf."""
        for version in self.versions:
            status, found, _ = await self.rig.http("GET", self.path(version))
            assert status == 200, found
            assert (found["apiVersion"], found["kind"]) == (version.api_version, version.kind)
            put = await self._sent("PUT", f"{self.path(version)}?{STRICT}", found, 200)
            unchanged(found, put)
            await self._read_in_protobuf(version, found)
        status, table, _ = await self.rig.http("GET", self.path(), headers={"Accept": TABLE})
        assert (status, len(table["rows"])) == (200, 1), table
        assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"])

    async def delete(self) -> None:
        """Its deletion is taken; with finalizers it lingers."""
        status, answer, _ = await self.rig.http("DELETE", self.path())
        assert status in {200, 202}, answer

    async def read(self) -> Object:
        """The object as it is served now."""
        status, found, _ = await self.rig.http("GET", self.path())
        assert status == 200, found
        read: Object = found
        return read

    async def _read_in_protobuf(self, version: Resource, expected: Object) -> None:
        headers = {"Authorization": "Bearer admin-token", "Accept": f"{PROTOBUF},application/json"}
        url = self.rig.server.url + self.path(version)
        async with self.rig.session.get(url, headers=headers) as response:
            body = await response.read()
            assert response.status == 200, body
            if version.custom is not None:
                assert response.content_type == JSON
                return
            assert response.content_type == PROTOBUF
        found = differences(without_empty(protobuf.decode(body)), without_empty(expected))
        assert not found, found

    async def _sent(self, method: str, path: str, body: Object, expected: int, kind: str = JSON) -> Object:
        status, answer, _ = await self.rig.http(method, path, body, headers={"Content-Type": kind})
        assert status == expected, f"{method} {path}: {status} {answer.get('message', answer)}"
        found: Object = answer
        return found


MISSING = "(missing)"
OBSERVED = {"CustomResourceDefinition": "Established", "APIService": "Available"}
"""Kinds the server itself brings to work, and the condition that tells that it has looked."""
NOT_KEPT = {"stringData"}
"""Fields that are only written."""
REPLACED = {"ControllerRevision", "Deployment", "Service"}
"""Kinds of which a strategic patch makes something else: two ports of one number, directives as data."""
FILLED_BY_SERVER = {"Node", "Pod", "PersistentVolume", "PersistentVolumeClaim", "Job"}
"""Kinds whose stored object has fields the server chose, which a bare replacement may not drop."""


def unchanged(before: Object, after: Object) -> None:
    """Judge that a write was none."""
    assert not (found := differences(stripped(before), stripped(after))), found
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], (
        before["metadata"],
        after["metadata"],
    )


def stripped(obj: Object) -> Object:
    """The object without what a write that changed nothing might still say differently."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in {"managedFields", "resourceVersion"}}
    return {**obj, "metadata": meta}


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where two values differ, each place with what stands there on both sides."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [
            text
            for key in keys
            for text in differences(one.get(key, MISSING), other.get(key, MISSING), f"{at}.{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [text for number, pair in pairs for text in differences(*pair, f"{at}[{number}]")]
    return [] if one == other else [f"{at}: {one!r} != {other!r}"]


def lost(wanted: Object, found: Object, not_kept: set[str]) -> None:
    """Judge that everything wanted is in what was found, where the server may have added to it."""
    kept = {key: value for key, value in wanted.items() if key not in not_kept}
    assert not (missing := differences(kept, within(kept, found))), missing


def within(wanted: Any, found: Any) -> Any:
    """What was found, without fields that were not wanted and items beyond the last one wanted."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        shared = {key: within(value, found[key]) for key, value in wanted.items() if key in found}
        said_nothing = {key: value for key, value in wanted.items() if says_nothing(value)}
        return said_nothing | shared
    if isinstance(wanted, list) and isinstance(found, list):
        return [within(*pair) for pair in zip(wanted, found, strict=False)]
    return found


def says_nothing(value: Any) -> bool:
    """Whether a field with that value may as well not be there."""
    return value is None or value in ({}, [], "", 0)


def without_empty(value: Any) -> Any:
    """The value as protobuf can tell it: without lists, maps and zero values that say nothing."""
    if isinstance(value, dict):
        nested_kind = (
            set(value) > {"apiVersion", "kind", "spec"} and "resourceVersion" not in value["metadata"]
        )
        value = {k: v for k, v in value.items() if not nested_kind or k not in {"apiVersion", "kind"}}
        kept = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, {}, [], "", 0, False)}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value
