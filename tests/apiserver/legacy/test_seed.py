"""The documents of an old introduction to Kubernetes, applied as they stand.

`tests/data/seed/legal` holds what has to be taken, `illegal` what was never right and has to be
refused in the words people know, `fragments` parts of pods.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.rig import Rig, account
from wherry.api.catalog import by_kind
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.objects.meta import Object

SEED = Path(__file__).parents[2] / "data" / "seed"
YAML = {"Content-Type": "application/yaml"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
UNINDENTED = (
    'Service in version "v1" cannot be handled as a Service: strict decoding error: unknown '
    'field "externalName", '
    'unknown field "name", unknown field "namespace", unknown field "type"'
)
LEGAL = sorted((SEED / "legal").iterdir())


def collection(document: Object) -> str:
    resource = by_kind(document["apiVersion"], document["kind"])
    assert resource is not None
    return resource.path(document["metadata"].get("namespace") or "default")


@pytest.mark.parametrize("file", LEGAL, ids=lambda file: file.stem)
async def test_legal_documents_are_created(rig: Rig, file: Path) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    text = file.read_text()
    document = yaml.safe_load(text)
    path = collection(document)
    status, made, headers = await rig.http("POST", f"{path}?fieldValidation=Strict", text, headers=YAML)
    assert status == 201, made
    assert made["apiVersion"] == document["apiVersion"]
    assert includes(made, document)
    resource = by_kind(document["apiVersion"], document["kind"])
    assert resource is not None
    warnings = [f'299 - "{resource.deprecation}"'] if resource.deprecation else []
    assert [text for text in headers.getall("Warning", []) if "deprecated in" in text] == warnings

    name = document["metadata"]["name"]
    status, found, _ = await rig.http("GET", f"{path}/{name}")
    assert status == 200
    assert found == made


@pytest.mark.parametrize("file", LEGAL, ids=lambda file: file.stem)
async def test_legal_documents_are_applied_again_and_again(rig: Rig, file: Path) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    text = file.read_text()
    document = yaml.safe_load(text)
    path = f"{collection(document)}/{document['metadata']['name']}?fieldManager=me&fieldValidation=Strict"
    first, made, _ = await rig.http("PATCH", path, text, headers=APPLY)
    second, again, _ = await rig.http("PATCH", path, text, headers=APPLY)
    assert (first, second) == (201, 200), (made, again)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def includes(found: Any, wanted: Any) -> bool:
    """Whether all that was written is there; the server may have added to it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and includes(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return len(found) >= len(wanted) and all(map(includes, found, wanted))
    return bool(found == wanted)


@pytest.mark.parametrize(
    ("name", "plural", "refusal"),
    [
        ("pod-secrect", "pods", "yaml: line 2: mapping values are not allowed in this context"),
        ("secret-slashes", "secrets", "yaml: line 2: mapping values are not allowed in this context"),
        ("service-full-width-colon", "services", "yaml: line 13: could not find expected ':'"),
        ("service-commas", "services",
         'no kind "Service," is registered for version "v1," in scheme '),
        ("service-external-name-unindented", "services", UNINDENTED),
    ],
)  # fmt: skip
async def test_illegal_documents_are_refused(rig: Rig, name: str, plural: str, refusal: str) -> None:
    path = f"/api/v1/namespaces/default/{plural}?fieldValidation=Strict"
    text = (SEED / "illegal" / f"{name}.yaml").read_text()
    status, answer, _ = await rig.http("POST", path, text, headers=YAML)
    assert status == 400
    assert answer["reason"] == "BadRequest"
    assert refusal in answer["message"]


async def test_a_misspelt_field_is_named(rig: Rig) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {
            "containers": [{"name": "c", "image": "nginx"}],
            "volumes": [{"name": "my-passwords", "secrect": {"secrectName": "mysecrets"}}],
        },
    }
    path = "/api/v1/namespaces/default/pods"
    status, answer, _ = await rig.http("POST", f"{path}?fieldValidation=Strict", pod)
    assert status == 400
    assert answer["message"] == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.volumes[0].secrect"'
    )
    status, _, headers = await rig.http("POST", path, pod)
    assert status == 201
    assert headers.getall("Warning") == [r'299 - "unknown field \"spec.volumes[0].secrect\""']


@pytest.mark.parametrize("file", sorted((SEED / "fragments").iterdir()), ids=lambda file: file.stem)
async def test_fragments_are_parts_of_pods(rig: Rig, file: Path) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    text = file.read_text()
    part = json.loads("{" + text + "}") if file.suffix == ".json" else yaml.safe_load(text)
    containers = {"containers": [{"name": "c", "image": "nginx"}]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": part.get("spec") or {**containers, **part},
    }
    path = "/api/v1/namespaces/default/pods?fieldValidation=Strict"
    status, made, _ = await rig.http("POST", path, pod)
    assert status == 201, made
    assert includes(made["spec"], pod["spec"])
