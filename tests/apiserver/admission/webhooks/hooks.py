"""A webhook server for tests, which answers what the test tells it and keeps what it was asked."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any

from aiohttp import web

from tests.apiserver.backing import backing, ca_bundle
from tests.apiserver.rig import Rig
from wherry.objects.meta import Object

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
CONFIG_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
ALL_OPERATIONS = ["CREATE", "UPDATE", "DELETE"]
Answer = Callable[[Object], Object | Awaitable[Object]]


def allowed(**more: Any) -> Object:
    """A response that lets the request pass."""
    return {"allowed": True, **more}


def denied(**status: Any) -> Object:
    """A response that does not."""
    return {"allowed": False, "status": status}


def patched(*operations: Object, **more: Any) -> Object:
    """A response with a JSON patch."""
    text = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": text, **more}


class Hooks:
    """The server: `answers` by path, `asked` everything it got with its path."""

    def __init__(self, rig: Rig, port: int) -> None:
        self._rig = rig
        self.port = port
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Object]] = []

    def requests(self, path: str = "") -> list[Object]:
        """The requests that came to a path ("" for all)."""
        return [review["request"] for at, review in self.asked if path in ("", at)]

    def webhook(self, path: str, **changes: Any) -> Object:
        """A webhook that is answered by the answer of that path."""
        return {
            "name": f"{path.strip('/')}.example.com",
            "clientConfig": {"url": f"https://localhost:{self.port}{path}", "caBundle": ca_bundle()},
            "rules": [{**CONFIG_MAPS, "operations": ALL_OPERATIONS}],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **changes,
        }

    async def configure(self, kind: str, name: str, *webhooks: Object) -> None:
        """Create a configuration: `kind` is Mutating or Validating."""
        body = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": list(webhooks),
        }
        path = f"{CONFIGURATIONS}/{kind.lower()}webhookconfigurations"
        status, answer, _ = await self._rig.http("POST", path, body)
        assert status == 201, answer

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        review = await request.json()
        self.asked.append((request.path, review))
        answer = self.answers[request.path](review["request"])
        response = await answer if isawaitable(answer) else answer
        shown = {"uid": review["request"]["uid"], **response}
        return web.json_response(
            {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": shown}
        )


@asynccontextmanager
async def hooks(rig: Rig) -> AsyncIterator[Hooks]:
    """A webhook server on loopback."""
    made: list[Hooks] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await made[0].handle(request)

    async with backing(handle) as port:
        made.append(Hooks(rig, port))
        yield made[0]
