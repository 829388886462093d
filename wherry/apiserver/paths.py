"""Everything that is not a resource: health, version, metrics, discovery, OpenAPI, token keys."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

import orjson

import wherry
from wherry import KUBERNETES_VERSION
from wherry.api.resource import Resource
from wherry.apiserver.beside import LARGE, beside
from wherry.apiserver.call import Call, Outcome, RawOutcome, Result
from wherry.apiserver.core import Core
from wherry.apiserver.health import Health
from wherry.apiserver.metrics import RequestMetrics
from wherry.apiserver.presentation import is_for_people
from wherry.kit.httpd.message import Response
from wherry.objects.errors import method_not_allowed, path_not_found
from wherry.objects.meta import Object

DOCUMENTED = ("/api", "/apis", "/openapi")
PUBLIC = (("Cache-Control", "public, max-age=3600"),)
if TYPE_CHECKING:
    from wherry.apiserver.discovery import Discovery
    from wherry.apiserver.openapi import OpenAPI

PathHandler = Callable[[Call], Result]


class Paths:
    """Answers GETs of paths that are no resource."""

    def __init__(self, core: Core, metrics: RequestMetrics, health: Health) -> None:
        self._core = core
        self._metrics = metrics
        self._health = health
        self._address = ""
        self._generation = -1
        self._discovery: Discovery | None = None
        self._open_api: OpenAPI | None = None
        self._exact: dict[str, PathHandler] = {
            "/": self._index,
            "/version": lambda _: Outcome(obj=version()),
            "/metrics": self._render_metrics,
            "/.well-known/openid-configuration": self._configuration,
            "/openid/v1/jwks": self._key_set,
        }

    @property
    def _base_url(self) -> str:
        return f"https://{self._address}"

    def listen_at(self, address: str) -> None:
        """Tell documents that name the server where it is: `host:port`."""
        self._address = address

    def serve(self, call: Call) -> Result:
        """Answer, or raise ApiError (404, 405)."""
        path = call.info.path
        handler = self._exact.get(path) or self._exact.get(path.rstrip("/"))
        if handler is None and path.startswith(DOCUMENTED):
            handler = self._document
        if handler is None and self._health.is_check(path):
            handler = self._health.answer
        if handler is None:
            raise path_not_found()
        if call.info.verb not in ("get", "head"):
            raise method_not_allowed()
        return handler(call)

    def forget(self, _: Sequence[Resource]) -> None:
        """Other resources are served: the documents about those before are of no more use."""
        self._discovery = self._open_api = None

    def _document(self, call: Call) -> Result:
        """Discovery and OpenAPI, made anew when other resources are served."""
        registry, request, aggregator = self._core.registry, call.request, self._core.aggregator
        if aggregator.remotes:
            remote = aggregator.find(call.info.path.removeprefix("/openapi/v3"))
            if remote is not None:
                from wherry.apiserver.aggregation.proxy import pass_on

                return pass_on(self._core, call, remote)
        generation = registry.generation + aggregator.generation
        if generation != self._generation:
            self._generation = generation
            self._discovery = self._open_api = None
        path, tag = call.info.path, call.headers.get("if-none-match", "")
        if path.startswith("/openapi"):
            from wherry.apiserver.openapi import OpenAPI

            if self._open_api is None:
                self._open_api = OpenAPI(
                    registry.resources(),
                    custom_schema,
                    [remote.path.strip("/") for remote in aggregator.remotes.values()],
                )
            raw_query = request.query if request is not None else ""
            answer = partial(self._open_api.answer, path, call.accept, raw_query, tag)
            if not self._open_api.is_made(path, call.accept):
                return self._rendered(call, answer)
            response = answer()
        else:
            from wherry.apiserver.discovery import Discovery

            if self._discovery is None:
                self._discovery = Discovery(
                    registry.resources(), self._address, aggregator.discovered(), aggregator.priorities()
                )
            response = self._discovery.answer(path, call.accept, tag)
            if response is not None and response.body and is_for_people(call):
                response = _indented(response)
        if response is None:
            raise path_not_found()
        return RawOutcome(response)

    async def _rendered(self, call: Call, answer: Callable[[], Response | None]) -> RawOutcome:
        """A document that takes long to render, as it is of everything there is."""
        response = await beside(self._core, call, answer, LARGE)
        if response is None:
            raise path_not_found()
        return RawOutcome(response)

    def _configuration(self, _: Call) -> Outcome:
        from wherry.apiserver.openid import configuration

        return Outcome(obj=configuration(self._core.tokens, self._base_url), headers=PUBLIC)

    def _key_set(self, _: Call) -> Outcome:
        from wherry.apiserver.openid import KEY_SET_TYPE, key_set

        data = orjson.dumps(key_set(self._core.tokens.keys))
        return Outcome(data=data, content_type=KEY_SET_TYPE, headers=PUBLIC)

    def _index(self, _: Call) -> Outcome:
        return Outcome(obj={"paths": sorted([*self._exact, *self._health.paths()])})

    def _render_metrics(self, _: Call) -> Outcome:
        from wherry.apiserver import metrics_text

        core = self._core
        text = metrics_text.render(
            self._metrics, core.stored, core.local_calls, core.registry.object_counts(), core.store.revision
        )
        return Outcome(data=text.encode(), content_type=metrics_text.CONTENT_TYPE)


def custom_schema(resource: Resource) -> Object | None:
    """The schema of a kind defined at run time, None for one that has none."""
    document = resource.custom.document if resource.custom is not None else None
    return None if document is None else dict(document)


@cache
def build_id() -> str:
    """Forty hex digits, as clients expect of a commit, the same for all of one version of Wherry."""
    return hashlib.sha1(f"wherry {wherry.__version__}".encode(), usedforsecurity=False).hexdigest()


def version() -> Object:
    """What `kubectl version` shows of the server."""
    major, minor = KUBERNETES_VERSION.removeprefix("v").split(".")[:2]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": build_id(),
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": platform.python_implementation(),
        "platform": f"linux/{machine}",
    }


def _indented(response: Response) -> Response:
    """A document for human eyes."""
    body = orjson.dumps(orjson.loads(response.body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return Response(body, response.status, response.content_type, response.headers)
