"""Every kind is kept under upstream's key, as upstream's JSON, and read whoever wrote it."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.apiserver.rig import Rig, config_map, running
from tests.apiserver.storage.layout import PLACES, Place
from tests.conftest import eventually
from wherry.api import protobuf
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.catalog import BUILTIN
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.pods import PODS
from wherry.api.networking.ingresses import INGRESSES
from wherry.api.resource import Resource
from wherry.objects.meta import Object

STORED = [resource for resource in BUILTIN if {"create", "list"} <= set(resource.verbs)]


def name_of(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def test_the_table_is_whole() -> None:
    assert {name_of(resource) for resource in STORED if resource.group != "extensions"} == set(PLACES)


@pytest.mark.parametrize("resource", STORED, ids=lambda r: f"{r.plural}.{r.api_version}")
def test_declared_keys_and_versions(resource: Resource) -> None:
    place = _place(resource)
    if place is None:
        return  # storage of `extensions` is that of the groups its kinds went to, which the catalog holds
    group, version = resource.storage_version or ("", "")
    assert "/".join(part for part in (group, version) if part) == place.version
    name = _body(place)["metadata"]["name"]
    assert resource.key("default", name) == "/registry/" + place.key.replace("{n}", "default")
    assert ("{n}" in place.key) == resource.namespaced


def _place(resource: Resource) -> Place | None:
    return PLACES.get(name_of(resource))


def _request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


def _body(place: Place) -> Object:
    """The object to write, placeholders filled in."""
    text = json.dumps(place.body).replace("{n}", "default")
    body: Object = json.loads(text.replace("{csr}", _request()) if "{csr}" in text else text)
    body.setdefault("metadata", {}).setdefault("name", "a")
    return body


@pytest.mark.parametrize("name", PLACES)
async def test_what_a_write_leaves_in_the_store(rig: Rig, name: str) -> None:
    place = PLACES[name]
    plural, _, group = name.partition(".")
    resource = next(r for r in STORED if (r.plural, r.group) == (plural, group))
    if plural == "pods":
        account = next(r for r in BUILTIN if r.plural == "serviceaccounts")
        await rig.admin.create(account, {"metadata": {"name": "default", "namespace": "default"}})
    body = _body(place)
    path = resource.path("default" if resource.namespaced else "")
    status, made, _ = await rig.http("POST", path, body)
    assert status == 201, made
    entry = await rig.store.get("/registry/" + place.key.replace("{n}", "default"))
    assert entry is not None
    value = json.loads(entry.value)
    assert list(value)[:3] == ["apiVersion", "kind", "metadata"]
    assert (value["apiVersion"], value["kind"]) == (place.version, resource.kind)
    assert value["metadata"]["uid"] == made["metadata"]["uid"]
    assert {"resourceVersion", "selfLink"}.isdisjoint(value["metadata"])
    if place.version == resource.api_version and group != "apiregistration.k8s.io":
        answered = {name: item for name, item in made["metadata"].items() if name != "resourceVersion"}
        assert value == {**made, "metadata": answered}, "nothing is added, nothing left out"
    # Whoever reads it in the version it was written in sees what was answered; the server itself keeps
    # the state of definitions and API services.
    status, read, _ = await rig.http("GET", f"{path}/{body['metadata']['name']}")
    apart = ("metadata", "status") if "apiextensions" in name or "apiregistration" in name else ("metadata",)
    assert status == 200
    assert _without(read, apart) == _without(made, apart)


def _without(obj: Object, fields: tuple[str, ...]) -> Object:
    return {field: value for field, value in obj.items() if field not in fields}


async def test_a_definition_is_stored_short() -> None:
    async with running() as rig:
        body = copy.deepcopy(PLACES["customresourcedefinitions.apiextensions.k8s.io"].body)
        columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
        body["spec"]["versions"][0]["additionalPrinterColumns"] = columns
        status, made, _ = await rig.http(
            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body
        )
        assert status == 201, made
        entry = await rig.store.get(
            "/registry/apiextensions.k8s.io/customresourcedefinitions/boats.sea.example.com"
        )
        assert entry is not None
        spec = json.loads(entry.value)["spec"]
        assert spec["version"] == "v1"
        assert spec["validation"] == {"openAPIV3Schema": {"type": "object"}}
        assert spec["additionalPrinterColumns"][0]["JSONPath"] == ".spec.size"
        assert spec["versions"] == [{"name": "v1", "served": True, "storage": True}]
        assert spec["preserveUnknownFields"] is False
        assert made["spec"]["versions"][0]["additionalPrinterColumns"] == columns


async def test_a_custom_resource_has_its_group_in_its_key(rig: Rig) -> None:
    body = PLACES["customresourcedefinitions.apiextensions.k8s.io"].body
    await rig.http("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)

    async def created() -> bool:
        made = {"apiVersion": "sea.example.com/v1", "kind": "Boat", "metadata": {"name": "a"}}
        status, _, _ = await rig.http("POST", "/apis/sea.example.com/v1/boats", made)
        return status == 201

    await eventually(created)
    entry = await rig.store.get("/registry/sea.example.com/boats/a")
    assert entry is not None
    assert json.loads(entry.value)["apiVersion"] == "sea.example.com/v1"


META: Object = {
    "name": "a",
    "namespace": "default",
    "uid": "u-1",
    "creationTimestamp": "2026-01-01T00:00:00Z",
}


def as_go_writes(obj: Object) -> bytes:
    """JSON as Go's encoder arranges it: kind first, a newline at the end."""
    head = {"kind": obj["kind"], "apiVersion": obj["apiVersion"]}
    return json.dumps({**head, **obj}, separators=(",", ":")).encode() + b"\n"


async def test_what_another_api_server_wrote_in_json(hurried_rig: Rig) -> None:
    rig = hurried_rig
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": META,
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    await rig.store.create("/registry/pods/default/a", as_go_writes(pod))
    read = await rig.admin.get(PODS, "a", "default")
    assert read["metadata"]["uid"] == "u-1"
    assert read["spec"]["restartPolicy"] == "Always", "defaults are filled in as it is read"
    status, line, _ = await rig.http("GET", "/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion=0")
    assert status == 200
    events = [
        json.loads(text)
        for text in str(line if isinstance(line, str) else json.dumps(line)).splitlines()
        if text
    ]
    assert [event["object"]["metadata"]["name"] for event in events if event["type"] == "ADDED"] == ["a"]


async def test_what_another_api_server_wrote_in_protobuf(rig: Rig) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"k": "v"}}
    await rig.store.create("/registry/configmaps/default/a", protobuf.encode(obj))
    read = await rig.admin.get(CONFIG_MAPS, "a", "default")
    assert (read["data"], read["apiVersion"], read["kind"]) == ({"k": "v"}, "v1", "ConfigMap")
    assert read["metadata"]["resourceVersion"]
    await rig.admin.update(CONFIG_MAPS, {**read, "data": {"k": "w"}})
    entry = await rig.store.get("/registry/configmaps/default/a")
    assert entry is not None
    assert json.loads(entry.value)["data"] == {"k": "w"}


async def test_what_was_stored_in_an_earlier_version(rig: Rig) -> None:
    backend = {"serviceName": "s", "servicePort": 80}
    old = {
        "kind": "Ingress",
        "apiVersion": "networking.k8s.io/v1beta1",
        "metadata": META,
        "spec": {"backend": backend},
    }
    await rig.store.create("/registry/ingress/default/a", as_go_writes(old))
    read = await rig.admin.get(INGRESSES, "a", "default")
    assert read["spec"] == {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    workload = {"kind": "Deployment", "apiVersion": "extensions/v1beta1", "metadata": META,
                "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}  # fmt: skip
    await rig.store.create("/registry/deployments/default/a", as_go_writes(workload))
    listed = await rig.admin.list(DEPLOYMENTS, "default")
    assert [item["spec"]["replicas"] for item in listed.items] == [1]


async def test_a_definition_of_before_v1(rig: Rig) -> None:
    spec: Any = {
        "group": "sea.example.com",
        "version": "v1",
        "scope": "Namespaced",
        "names": {"plural": "nets", "kind": "Net", "singular": "net", "listKind": "NetList"},
        "validation": {"openAPIV3Schema": {"type": "object"}},
        "subresources": {"status": {}},
        "preserveUnknownFields": False,
    }
    old = {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1beta1",
        "metadata": {"name": "nets.sea.example.com", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
    }
    key = "/registry/apiextensions.k8s.io/customresourcedefinitions/nets.sea.example.com"
    await rig.store.create(key, as_go_writes(old))
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/nets.sea.example.com"
    status, read, _ = await rig.http("GET", path)
    assert status == 200, read
    assert read["apiVersion"] == "apiextensions.k8s.io/v1"
    assert read["spec"]["versions"] == [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object"}},
            "subresources": {"status": {}},
        }
    ]
    assert "preserveUnknownFields" not in read["spec"]


async def test_what_nobody_can_read_does_not_hide_the_rest(rig: Rig) -> None:
    await rig.admin.create(CONFIG_MAPS, config_map("good"))
    bad = {"apiVersion": "v9", "kind": "ConfigMap", "metadata": {**META, "name": "bad"}}
    await rig.store.create("/registry/configmaps/default/bad", json.dumps(bad).encode())
    await rig.store.create("/registry/configmaps/default/worse", b"k8s\x00\xff\xff")
    listed = await rig.admin.list(CONFIG_MAPS, "default")
    assert [item["metadata"]["name"] for item in listed.items] == ["good"]


async def test_a_custom_resource_another_api_server_wrote(hurried_rig: Rig) -> None:
    rig = hurried_rig
    body = PLACES["customresourcedefinitions.apiextensions.k8s.io"].body
    await rig.http("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    boat = {"kind": "Boat", "apiVersion": "sea.example.com/v1", "metadata": {**META, "namespace": ""}}
    await rig.store.create("/registry/sea.example.com/boats/a", as_go_writes(boat))
    path = "/apis/sea.example.com/v1/boats"

    async def served() -> bool:
        return (await rig.http("GET", path))[0] == 200

    await eventually(served)
    _, listed, _ = await rig.http("GET", path)
    assert [item["metadata"]["uid"] for item in listed["items"]] == ["u-1"]
    _, text, _ = await rig.http("GET", f"{path}?watch=1&timeoutSeconds=1&resourceVersion=0")
    lines = text.splitlines() if isinstance(text, str) else [json.dumps(text)]
    assert [json.loads(line)["type"] for line in lines if line] == ["ADDED"]
