"""What the tests of this folder ask and look at: requests written down as data, answers as tuples."""

from __future__ import annotations

from typing import Any

import aiohttp

from tests.apiserver.rig import Rig

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def failure(answer: Any) -> tuple[int, str, str]:
    """Code, reason and message of a Status."""
    assert answer["kind"] == "Status", answer
    assert answer["status"] == "Failure"
    return answer["code"], answer.get("reason", ""), answer["message"]


async def refusal(
    rig: Rig,
    method: str,
    path: str,
    body: Any = None,
    *,
    content_type: str = "",
) -> tuple[int, str, str]:
    """Code, reason and message of a request that is to fail; the HTTP status must be the code."""
    headers = {"Content-Type": content_type} if content_type else None
    status, answer, _ = await rig.http(method, path, body, headers=headers)
    found = failure(answer)
    assert found[0] == status
    return found


def warnings_of(headers: Any) -> list[str]:
    """The texts of the Warning headers."""
    texts = headers.getall("Warning", [])
    assert all(text.startswith('299 - "') and text.endswith('"') for text in texts)
    return [text[len('299 - "') : -1].replace('\\"', '"').replace("\\\\", "\\") for text in texts]


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A Deployment of one container."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]},
            },
            **spec,
        },
    }


async def send_text(
    rig: Rig, method: str, path: str, body: str, content_type: str
) -> tuple[int, Any, list[str]]:
    """A body exactly as written: status, decoded answer, warnings."""
    headers = {"Content-Type": content_type, "Authorization": "Bearer admin-token"}
    async with rig.session.request(
        method, rig.server.url + path, data=body.encode(), headers=headers
    ) as response:
        assert isinstance(response, aiohttp.ClientResponse)
        return response.status, await response.json(content_type=None), warnings_of(response.headers)
