"""Who may not, in upstream's words: 401 and 403, for resources and for paths; and what is too large."""

from __future__ import annotations

import io

import pytest

from tests.apiserver.conformance.asking import DEPLOYMENTS, MAPS, PODS, failure
from tests.apiserver.rig import Rig


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            f"{MAPS}/a",
            (
                'configmaps "a" is forbidden: User "alice" cannot get resource "configmaps" in '
                'API group "" in the '
                'namespace "default"'
            ),
        ),
        (
            "GET",
            MAPS,
            (
                'configmaps is forbidden: User "alice" cannot list resource "configmaps" in '
                'API group "" in the '
                'namespace "default"'
            ),
        ),
        (
            "GET",
            f"{MAPS}?watch=1",
            (
                'configmaps is forbidden: User "alice" cannot watch resource "configmaps" in '
                'API group "" in the '
                'namespace "default"'
            ),
        ),
        (
            "GET",
            "/apis/apps/v1/deployments",
            (
                'deployments.apps is forbidden: User "alice" cannot list resource '
                '"deployments" in API group "apps" '
                "at the cluster scope"
            ),
        ),
        (
            "DELETE",
            DEPLOYMENTS,
            (
                'deployments.apps is forbidden: User "alice" cannot deletecollection resource '
                '"deployments" in API '
                'group "apps" in the namespace "default"'
            ),
        ),
        (
            "GET",
            f"{PODS}/p/log",
            (
                'pods "p" is forbidden: User "alice" cannot get resource "pods/log" in API group "" in the '
                'namespace "default"'
            ),
        ),
        ("GET", "/metrics", 'forbidden: User "alice" cannot get path "/metrics"'),
    ],
)
async def test_forbidden(rig: Rig, method: str, path: str, message: str) -> None:
    status, answer, _ = await rig.http(method, path, token="alice-token")
    assert status == 403
    assert failure(answer) == (403, "Forbidden", message)


async def test_the_details_of_a_refusal(rig: Rig) -> None:
    _, answer, _ = await rig.http("GET", f"{DEPLOYMENTS}/web", token="alice-token")
    assert answer["details"] == {"name": "web", "group": "apps", "kind": "deployments"}
    _, answer, _ = await rig.http("GET", "/metrics", token="alice-token")
    assert not answer.get("details")


async def test_unknown_tokens(rig: Rig) -> None:
    status, answer, _ = await rig.http("GET", MAPS, token="nobody")
    assert status == 401
    assert failure(answer) == (401, "Unauthorized", "Unauthorized")


async def test_large_bodies(rig: Rig) -> None:
    body = b'{"data": {"x": "' + b"y" * (3 * 1024 * 1024) + b'"}}'
    headers = {"Content-Type": "application/json", "Authorization": "Bearer admin-token"}
    url = rig.server.url + MAPS
    async with rig.session.post(url, data=io.BytesIO(body), headers=headers) as response:
        status, answer = response.status, await response.json()
    assert status == 413
    assert failure(answer) == (
        413,
        "RequestEntityTooLarge",
        "Request entity too large: limit is 3145728",
    )
