"""Migrations store all objects of a resource anew, say so, and come to an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.objects.conditions import is_true
from wherry.objects.meta import Object
from wherry.store.base import Entry
from wherry.testing import Cluster

CONFIG_MAP: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "default"},
}
CONTROLLERS = ["storage-version-migrator"]


def definition(storage: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": name, "served": True, "storage": name == storage, "schema": schema} for name in ("v1", "v2")
    ]
    names = {"plural": "widgets", "kind": "Widget"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "names": names, "scope": "Namespaced", "versions": versions},
    }


def migration(name: str, resource: str, group: str = "") -> Object:
    return {
        "apiVersion": "storagemigration.k8s.io/v1",
        "kind": "StorageVersionMigration",
        "metadata": {"name": name},
        "spec": {"resource": {"group": group, "resource": resource}},
    }


def stored(c: Cluster, prefix: str) -> dict[str, tuple[str, int]]:
    """In which version each object is stored, and since which revision."""

    async def read() -> list[Entry]:
        return list((await c._at.store.list(prefix)).entries)

    entries = c._running.call(read)
    return {entry.key: (json.loads(entry.value)["apiVersion"], entry.revision) for entry in entries}


def conditions(c: Cluster, name: str) -> list[tuple[str, str, str, str]]:
    found = c.client.get("storageversionmigration", name)["status"]["conditions"]
    return [(one["type"], one["status"], one["reason"], one["message"]) for one in found]


DONE = [
    ("Running", "False", "StorageVersionMigrationInProgress", ""),
    ("Succeeded", "True", "StorageVersionMigrationSucceeded", ""),
]
PREFIX = "/registry/example.com/widgets/"


def test_what_is_stored_in_another_version_is_stored_anew_and_nothing_else_is_written() -> None:
    with Cluster(controllers=CONTROLLERS, scheduler=False) as c:
        c.apply(definition("v1"))
        c.wait("crd/widgets.example.com", "Established")
        for number in range(3):
            meta = {"name": f"w{number}", "namespace": "default"}
            c.client.create({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta})
        c.apply(definition("v2"))
        c.clock.advance("2s")
        c.client.patch("widgets", "w0", {"metadata": {"labels": {"a": "b"}}}, "default")
        before = stored(c, PREFIX)
        assert [version for version, _ in before.values()] == [
            "example.com/v2",
            "example.com/v1",
            "example.com/v1",
        ]
        c.client.create(migration("m", "widgets", "example.com"))
        c.clock.advance("5s")
        assert conditions(c, "m") == DONE
        after = stored(c, PREFIX)
        assert [version for version, _ in after.values()] == ["example.com/v2"] * 3
        (first, *others) = after
        assert after[first] == before[first]
        assert all(after[key][1] > before[key][1] for key in others)
        c.client.create(migration("again", "widgets", "example.com"))
        c.clock.advance("5s")
        assert conditions(c, "again") == DONE
        assert stored(c, PREFIX) == after
        assert int(c.client.get("storageversionmigration", "m")["status"]["resourceVersion"]) > 0


def test_a_built_in_kind_that_another_server_stored_is_stored_anew() -> None:
    with Cluster(controllers=CONTROLLERS, scheduler=False) as c:
        c.client.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
        )
        key = "/registry/configmaps/default/c"

        async def rewrite() -> None:
            entry = await c._at.store.get(key)
            assert entry is not None
            value: dict[str, Any] = json.loads(entry.value)
            other = {"metadata": value.pop("metadata"), **value}
            await c._at.store.update(key, json.dumps(other).encode(), expected=entry.revision)

        c._running.call(rewrite)
        before = stored(c, key)
        c.client.create(migration("m", "configmaps"))
        c.clock.advance("5s")
        assert conditions(c, "m") == DONE
        assert stored(c, key)[key][1] > before[key][1]


def test_a_resource_nobody_serves_is_waited_for_and_given_up() -> None:
    with Cluster(controllers=CONTROLLERS, scheduler=False) as c:
        c.client.create(migration("m", "gadgets", "example.com"))
        c.clock.advance("30s")
        assert not (c.client.get("storageversionmigration", "m").get("status") or {}).get("conditions")
        c.clock.advance("40s")
        assert conditions(c, "m") == [
            ("Failed", "True", "StorageVersionMigrationFailed", "resource not found")
        ]


@pytest.mark.parametrize(("code", "end"), [(500, "Succeeded"), (403, "Failed")])
def test_what_the_server_refuses_once(code: int, end: str) -> None:
    with Cluster(controllers=CONTROLLERS, scheduler=False) as c:
        c.client.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
        )
        c.faults.refuse(code, "configmaps", verbs=["patch"])
        c.client.create(migration("m", "configmaps"))
        c.clock.advance("5s")
        assert is_true(c.client.get("storageversionmigration", "m")["status"]["conditions"], end)
