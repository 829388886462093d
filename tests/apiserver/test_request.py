"""What a path asks for."""

from __future__ import annotations

import pytest

from wherry.apiserver.request import parse_query, request_info


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/api/v1/namespaces", ("list", "", "v1", "", "namespaces", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "v1", "a", "namespaces", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "", "v1", "a", "namespaces", "a", "finalize")),
        ("GET", "/api/v1/namespaces/a/pods", ("list", "", "v1", "a", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a/pods?watch=true", ("watch", "", "v1", "a", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a/pods?watch=false", ("list", "", "v1", "a", "pods", "", "")),
        ("GET", "/api/v1/watch/namespaces/a/pods", ("watch", "", "v1", "a", "pods", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods", ("deletecollection", "", "v1", "a", "pods", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods/p", ("delete", "", "v1", "a", "pods", "p", "")),
        ("POST", "/api/v1/namespaces/a/pods/p/binding", ("create", "", "v1", "a", "pods", "p", "binding")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", ("list", "", "v1", "", "pods", "x", "")),
        ("GET", "/apis/apps/v1/deployments", ("list", "apps", "v1", "", "deployments", "", "")),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale",
         ("patch", "apps", "v1", "a", "deployments", "d", "scale")),
        ("GET", "/api/v1/nodes/n/proxy/a/b", ("get", "", "v1", "", "nodes", "n", "proxy")),
    ],
)  # fmt: skip
def test_resources(method: str, target: str, expected: tuple[str, ...]) -> None:
    path, _, query = target.partition("?")
    info = request_info(method, path, parse_query(query))
    assert info.is_resource
    found = (info.verb, info.group, info.version, info.namespace, info.resource, info.name, info.subresource)
    assert found == expected


@pytest.mark.parametrize(
    "path", ["/", "/version", "/api", "/api/v1", "/apis/apps/v1", "/healthz/ping", "/apis"]
)
def test_other_paths(path: str) -> None:
    info = request_info("GET", path, {})
    assert (info.is_resource, info.verb, info.path) == (False, "get", path)


def test_the_tail_of_a_proxied_path() -> None:
    assert request_info("GET", "/api/v1/nodes/n/proxy/a/b", {}).tail == "a/b"
