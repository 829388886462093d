from __future__ import annotations

import orjson
import pytest

from wherry.api.catalog import BUILTIN
from wherry.api.resource import Resource
from wherry.apiserver.openapi import OpenAPI
from wherry.kit.httpd.message import Response

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
SMALL = [resource for resource in BUILTIN if resource.group == "coordination.k8s.io"]
TABS = Resource(group="example.com", version="v1", kind="Tab", plural="tabs", namespaced=True)


def fetch(service: OpenAPI, path: str, accept: str = "", query: str = "", tag: str = "") -> Response:
    response = service.answer(path, accept, query, tag)
    assert response is not None
    return response


def test_the_index_leads_to_documents_that_may_be_kept() -> None:
    service = OpenAPI(SMALL)
    index = orjson.loads(fetch(service, "/openapi/v3").body)
    url = index["paths"]["apis/coordination.k8s.io/v1"]["serverRelativeURL"]
    path, _, query = url.partition("?")
    document = fetch(service, path, query=query)
    assert orjson.loads(document.body)["openapi"] == "3.0.0"
    headers = dict(document.headers)
    assert "immutable" in headers["Cache-Control"]
    assert "Cache-Control" not in dict(fetch(service, path).headers)
    again = fetch(service, path, tag=headers["ETag"])
    assert (again.status, again.body, again.content_type) == (304, b"", "application/json")


OPENID = ".well-known/openid-configuration"


def test_every_version_has_a_document() -> None:
    service = OpenAPI(BUILTIN)
    for name in orjson.loads(fetch(service, "/openapi/v3").body)["paths"]:
        document = orjson.loads(fetch(service, f"/openapi/v3/{name}").body)
        assert document["paths"]
        assert document["components"]["schemas"] or name in ("openid/v1/jwks", OPENID)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        (PROTOBUF, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"),
        ("application/json," + PROTOBUF, "application/json"),
        ("text/html", "application/json"),
    ],
)
def test_v2_in_the_form_asked_for(accept: str, content_type: str) -> None:
    response = fetch(OpenAPI(SMALL), "/openapi/v2", accept)
    assert response.content_type == content_type
    assert response.body.startswith(b"{") == (content_type == "application/json")


def test_the_hash_follows_the_schema() -> None:
    def index(kind: str) -> bytes:
        return fetch(OpenAPI([TABS], lambda resource: {"type": kind}), "/openapi/v3").body

    assert index("object") == index("object")
    assert index("object") != index("string")


@pytest.mark.parametrize("path", ["/openapi", "/openapi/v4", "/openapi/v3/apis/nope/v1", "/apis"])
def test_other_paths_are_not_its_own(path: str) -> None:
    assert OpenAPI(SMALL).answer(path) is None
