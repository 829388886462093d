"""Our documents against a client made from upstream's: the official Python one.

Its methods were generated operation by operation, so they tell which paths, parameters, answers and
codes upstream's document has. What is said there and not by us would be missing from clients made from
our document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from wherry.api.catalog import BUILTIN
from wherry.apiserver.openapi.documents import root_document, root_paths, version_document, whole_document

Key = tuple[str, str]
"""(path, method)."""

BESIDE = ("/logs/", "/apis/{group}/")
"""A directory of log files upstream serves only where told to, and a client's way to custom resources."""
NOT_SERVED_GROUPS = ("internal.apiserver.k8s.io", "lifecycle.k8s.io")
NOT_SERVED = frozenset({"/apis/storage.k8s.io/v1/csinodes/{name}/status"})
ALPHA_PARAMETERS = frozenset({"shardSelector"})
ALPHA_TYPES = frozenset({"application/cbor", "application/cbor-seq"})


class Method(NamedTuple):
    """One generated method."""

    name: str
    query: frozenset[str]
    accepts: frozenset[str]
    codes: frozenset[str]
    answer: str
    has_body: bool


@lru_cache(1)
def methods() -> Mapping[Key, Method]:
    """All methods of the client by what they request."""
    spec = find_spec("kubernetes")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    found: dict[Key, Method] = {}
    for file in sorted(Path(spec.submodule_search_locations[0], "client", "api").glob("*_api.py")):
        text = file.read_text()
        parts = re.split(r"\n    def ", text)[1:]
        answers: dict[str, dict[str, str]] = {}
        for part in parts:
            name = part.partition("(")[0]
            types = re.search(r"_response_types_map: [^{]*\{(.*?)\}", part, re.DOTALL)
            if types:
                answers.setdefault(name, dict(re.findall(r"'(\d+)': \"?([^\",]+)\"?", types[1])))
            if not (name.startswith("_") and name.endswith("_serialize")):
                continue
            path = re.search(r"resource_path='([^']+)'", part)
            method = re.search(r"method='([^']+)'", part)
            assert path is not None
            assert method is not None
            accepts = re.search(r"select_header_accept\(\s*\[(.*?)\]", part, re.DOTALL)
            own = name[1 : -len("_serialize")]
            found[path[1], method[1].lower()] = Method(
                own,
                frozenset(re.findall(r"_query_params.append\(\('([^']+)'", part)),
                frozenset(re.findall(r"'([^']+)'", accepts[1]) if accepts else ()),
                frozenset(answers[own]),
                answers[own].get("200", ""),
                "_body_params = body" in part,
            )
    return found


def is_ours(path: str) -> bool:
    """Whether we serve the group version of a path."""
    if path.startswith(BESIDE) or path in NOT_SERVED or any(group in path for group in NOT_SERVED_GROUPS):
        return False
    return not re.match(r"/apis/[^/]+/v\d+alpha\d+/", path)


@lru_cache(1)
def operations() -> Mapping[Key, tuple[dict[str, Any], dict[str, Any]]]:
    """All operations of our v3 documents, each with its path item."""
    documents = [version_document(g, v, BUILTIN) for g, v in {(r.group, r.version): 0 for r in BUILTIN}]
    documents += [json.loads(json.dumps(root_document(path, BUILTIN))) for path in root_paths(BUILTIN)]
    return {
        (path, method): (operation, item)
        for document in documents
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def shared() -> list[tuple[Key, Method, dict[str, Any], dict[str, Any]]]:
    ours = operations()
    return [(key, method, *ours[key]) for key, method in methods().items() if key in ours]


def test_every_operation_is_there() -> None:
    missing = [
        key
        for key in methods()
        if is_ours(key[0]) and key not in operations() and key[1] != "options"  # upstream's proxies only
    ]
    assert missing == []
    assert len(shared()) > 750


def test_operations_are_called_the_same() -> None:
    """The client leaves the group version out of its names, and its camels are not quite ours."""
    wrong = []
    for (path, _), method, operation, _ in shared():
        tag = operation["tags"][0].replace("_", "")
        mine = operation["operationId"].lower()
        plain = mine.replace(tag.lower(), "", 1)
        if method.name.replace("_", "") not in (plain, mine) and not path.count("/") < 5:
            wrong.append((method.name, operation["operationId"]))
    assert wrong == []


def test_parameters() -> None:
    wrong = []
    for key, method, operation, item in shared():
        given = [*operation.get("parameters", ()), *item.get("parameters", ())]
        query = {parameter["name"] for parameter in given if parameter["in"] == "query"}
        if query != method.query - ALPHA_PARAMETERS:
            wrong.append((key, method.query ^ query))
        in_path = {parameter["name"] for parameter in given if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", key[0]))
    assert wrong == []


def test_codes_and_bodies() -> None:
    wrong = []
    for key, method, operation, _ in shared():
        if set(operation["responses"]) != method.codes or ("requestBody" in operation) != method.has_body:
            wrong.append((key, sorted(operation["responses"]), sorted(method.codes), method.has_body))
    assert wrong == []


def test_answers() -> None:
    wrong = []
    for key, method, operation, _ in shared():
        content = operation["responses"]["200"]["content"]
        schema = next(iter(content.values()))["schema"]
        mine = schema.get("$ref", "").rpartition(".")[2] or "str"
        # The client puts the version before the kind, and says object where there is no schema.
        theirs = re.sub(r"^(\w*?V\d+(alpha\d+|beta\d+)?)(?=[A-Z])", "", method.answer)
        if theirs not in (mine, "object") and not (key[0] == "/version/" and mine == "Info"):
            wrong.append((key, mine, method.answer))
    assert wrong == []


def test_content_types_of_answers() -> None:
    """Discovery and logs we serve in fewer forms than upstream, and component statuses cannot be watched."""
    wrong = []
    for key, method, operation, _ in shared():
        mine = set(operation["responses"]["200"]["content"])
        if mine != method.accepts - ALPHA_TYPES and operation.get("x-kubernetes-action"):
            if key[0].endswith(("/log", "/componentstatuses")):
                continue
            wrong.append((key, mine ^ (method.accepts - ALPHA_TYPES)))
    assert wrong == []


@pytest.mark.parametrize("place", [*dict.fromkeys((r.group, r.version) for r in BUILTIN)], ids="/".join)
def test_v3_documents_are_valid(place: tuple[str, str]) -> None:
    from openapi_spec_validator import OpenAPIV30SpecValidator

    document = json.loads(json.dumps(version_document(*place, BUILTIN)))
    assert [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()] == []


@pytest.mark.parametrize("path", root_paths(BUILTIN))
def test_v3_documents_beside_the_resources_are_valid(path: str) -> None:
    from openapi_spec_validator import OpenAPIV30SpecValidator

    document = json.loads(json.dumps(root_document(path, BUILTIN)))
    assert [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()] == []


@pytest.mark.slow
def test_the_v2_document_is_valid() -> None:
    from openapi_spec_validator import OpenAPIV2SpecValidator

    document = json.loads(json.dumps(whole_document(BUILTIN)))
    assert [error.message for error in OpenAPIV2SpecValidator(document).iter_errors()] == []
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(names) == len(set(names)), "operationIds are unique"
