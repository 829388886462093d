"""The kubelet's HTTPS API: which path is answered by what, and to whom.

`KubeletServer` wires the parts; each answer is made by one of them: `containers` (logs, exec, attach, port
forwarding), `figures`, `health`, `node_logs`, `zpages`, `profiling`. Errors come as plain text, as upstream's
kubelet sends them and the API server expects. Nothing is served without TLS, on any port.

Source: pkg/kubelet/server/server.go.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from wherry.kit.certificates import ServedCertificate
from wherry.kit.clock import Clock
from wherry.kit.disk import DiskThreads
from wherry.kit.httpd.message import Answer, Request, Response
from wherry.kit.httpd.server import Server
from wherry.kit.metrics import Counter, Gauge, Histogram, Metric
from wherry.kubelet.runtimes.containers import Phase
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.server.about import About
from wherry.kubelet.server.access import (
    MASTERS,
    Asker,
    Reviews,
    Unanswered,
    bearer_token,
    subresources_of,
    verb_of,
)
from wherry.kubelet.server.answers import NotServed, json_of, not_by_that_method, text
from wherry.kubelet.server.checkpoints import Checkpoints
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.configz import kubelet_configuration
from wherry.kubelet.server.containers import ContainerDoors
from wherry.kubelet.server.figures import Figures
from wherry.kubelet.server.health import Health
from wherry.kubelet.server.identity import asker_of, ssl_context
from wherry.kubelet.server.node_logs import NodeLogs
from wherry.kubelet.server.profiling import Profiling
from wherry.kubelet.server.zpages import Zpages
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Answer]]
METHODS = ("OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT")
_GET, _POST, _DOORS = ("GET",), ("POST",), ("GET", "POST")
_LONG_RUNNING = ("exec", "attach", "portforward", "debug")
_DEBUGGING = ("run", "exec", "attach", "portForward", "containerLogs", "runningpods", "debug", "logs")
"""What upstream serves with `enableDebuggingHandlers` alone."""
_SERVER = ("method", "path", "server_type", "long_running")
NOT_FOUND = "404 page not found\n"


class Page(NamedTuple):
    """What answers, and for which methods; none for whatever method."""

    handler: Handler
    methods: Sequence[str] = ()


class KubeletServer:
    """Serves the kubelet API of one node for `pods()`, the pods bound to it.

    `about` is the agent it belongs to; `reviews` knows who others are than those the configuration names.
    """

    def __init__(
        self,
        runtime: Runtime,
        pods: Callable[[], list[Object]],
        config: KubeletServerConfig,
        clock: Clock,
        about: About,
        reviews: Reviews | None = None,
    ) -> None:
        self._runtime = runtime
        self._pods = pods
        self._config = config
        self._clock = clock
        self._about = about
        self._reviews = reviews
        self._doors = ContainerDoors(runtime, pods, clock, config.log_dir)
        self._health = Health({"syncloop": self._sync_error})
        self._figures = Figures(runtime, pods, about, self._health, clock, self._own_metrics)
        self._server: Server | None = None
        self._certificate: ServedCertificate | None = None
        self._requests = Counter(
            "kubelet_http_requests_total",
            "[ALPHA] Number of the http requests received since the server started",
            _SERVER,
        )
        self._durations = Histogram(
            "kubelet_http_requests_duration_seconds",
            "[ALPHA] Duration in seconds to serve http requests",
            _SERVER,
        )
        self._in_flight = Gauge(
            "kubelet_http_inflight_requests", "[ALPHA] Number of the inflight http requests", _SERVER
        )
        self._pages = self._make_pages()

    def _make_pages(self) -> dict[str, Page]:
        config, doors = self._config, self._doors
        pages = {
            "healthz": Page(self._health.page),
            "pods": Page(self._pod_list, _GET),
            "stats": Page(self._figures.summary, _GET),
            "metrics": Page(self._figures.metrics),
            "run": Page(doors.run, _POST),
            "exec": Page(doors.execute, _DOORS),
            "attach": Page(doors.attach, _DOORS),
            "portForward": Page(doors.port_forward, _DOORS),
            "containerLogs": Page(doors.logs, _GET),
            "runningpods": Page(self._running_pods, _GET),
            "configz": Page(self._configz),
            "debug": Page(
                Profiling().page if config.is_profiling else _off("profiling endpoint is disabled.\n")
            ),
            "logs": Page(NodeLogs(config).page, _GET)
            if config.shows_system_logs
            else Page(_off("logs endpoint is disabled.\n")),
        }
        if config.checkpoint_dir is not None:
            checkpoints = Checkpoints(
                self._runtime, doors, config.checkpoint_dir, self._clock, DiskThreads(self._clock)
            )
            pages["checkpoint"] = Page(checkpoints.page, _POST)
        if not config.is_debugging:
            disabled = Page(_off("Debug endpoints are disabled.\n"))
            pages = {name: page for name, page in pages.items() if name not in ("configz", "checkpoint")}
            return pages | dict.fromkeys(_DEBUGGING, disabled)
        zpages = Zpages(self._clock, config.flags, [f"/{name}" for name in (*pages, "flagz", "statusz")])
        return {**pages, "flagz": Page(zpages.flagz, _GET), "statusz": Page(zpages.statusz, _GET)}

    async def start(self) -> int:
        """Listen; the port. Raises OSError, also for certificates that cannot be used."""
        config = self._config
        context = ssl_context(config)
        self._certificate = ServedCertificate(context, config.cert_file, config.key_file)
        self._server = Server(self.answer, ssl_context=context, clock=self._clock)
        return await self._server.start(config.host, config.port)

    def reload_certificate(self) -> None:
        """Show the certificate that lies there now. Raises OSError while it cannot be used."""
        if self._certificate is not None and self._certificate.reload():
            log.info("a new serving certificate is shown")

    async def close(self) -> None:
        """Stop listening and cut off what is under way."""
        if self._server is not None:
            await self._server.close()
        await self._figures.close()
        await self._doors.close()

    async def answer(self, request: Request) -> Answer:
        """Answer one request; every failure becomes an answer."""
        name = request.path.split("/", 2)[1] if request.path.startswith("/") else ""
        labels = self._labels(name, request)
        began = self._clock.monotonic()
        self._requests.inc(*labels)
        self._in_flight.add(1, *labels)
        try:
            refusal = await self._refusal(name, request)
            return refusal if refusal is not None else await self._answer(name, request)
        finally:
            self._in_flight.add(-1, *labels)
            self._durations.observe(self._clock.monotonic() - began, *labels)

    def _labels(self, name: str, request: Request) -> tuple[str, str, str, str]:
        """Whom a request counts under: no more of them than there are pages and methods."""
        method = request.method if request.method in METHODS else "other"
        path = name if name in self._pages else "other"
        if path == "metrics" and (rest := request.path.removeprefix("/metrics").strip("/")):
            path = f"metrics/{rest}" if rest in ("cadvisor", "probes", "resource") else "other"
        return method, path, "readwrite", str(path in _LONG_RUNNING).lower()

    async def _answer(self, name: str, request: Request) -> Answer:
        page = self._pages.get(name)
        if page is None:
            return text(NOT_FOUND, 404)
        if page.methods and request.method not in page.methods:
            return not_by_that_method(page.methods)
        try:
            return await page.handler(request)
        except NotServed as error:
            return text(str(error), error.status)
        except NoSuchThing as error:
            return text(str(error), 404)
        except (RuntimeFailure, OSError) as error:
            log.warning("%s %s: %s", request.method, request.path, error)
            return text(str(error), 500)

    async def _refusal(self, name: str, request: Request) -> Response | None:
        """The answer to somebody who may not ask, None for who may."""
        try:
            asker = await self._asker(request)
        except Unanswered as error:
            log.warning("whose token it is cannot be asked: %s", error)
            asker = None
        if asker is None:
            return text("Unauthorized", 401)
        request.connection.identity = asker.user
        if MASTERS in asker.groups or asker.user in self._config.allowed_names:
            return None
        verb, subresources = verb_of(request.method, name), subresources_of(name)
        for subresource in subresources:
            try:
                if self._reviews is not None and await self._reviews.may(asker, verb, subresource):
                    return None
            except Unanswered as error:
                log.warning(
                    "whether %s may %s nodes/%s cannot be asked: %s", asker.user, verb, subresource, error
                )
                who = f"user={asker.user}, verb={verb}, resource=nodes, subresource={subresource}"
                return text(f"Authorization error ({who})", 500)
        told = f"user={asker.user}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(subresources)}]"
        return text(f"Forbidden ({told})\n", 403)

    async def _asker(self, request: Request) -> Asker | None:
        """Who asks: by certificate, which is read once a connection, or by token. Raises Unanswered."""
        connection, memo = request.connection, request.connection.memo
        if "asker" not in memo:
            memo["asker"] = asker_of(connection.peer_subject)
        known: Asker | None = None if connection.has_ended(self._clock.now()) else memo["asker"]
        if known is not None or self._reviews is None:
            return known
        token = bearer_token(request.headers)
        return await self._reviews.who(token) if token else None

    async def _sync_error(self) -> str:
        return self._about.sync_error()

    def _own_metrics(self) -> Iterable[Metric]:
        return self._requests, self._durations, self._in_flight

    async def _configz(self, request: Request) -> Answer:
        return json_of({"kubeletconfig": kubelet_configuration(self._about.config, self._config)})

    async def _pod_list(self, request: Request) -> Answer:
        return json_of({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._pods()})

    async def _running_pods(self, request: Request) -> Answer:
        pods: dict[str, Any] = {}
        sandboxes = {sandbox.id: sandbox for sandbox in await self._runtime.sandboxes()}
        for container in await self._runtime.containers():
            sandbox = sandboxes.get(container.sandbox_id)
            if sandbox is None or container.phase is not Phase.RUNNING:
                continue
            metadata = {"name": sandbox.name, "namespace": sandbox.namespace, "uid": sandbox.uid}
            pod = pods.setdefault(
                sandbox.uid, {"metadata": metadata, "spec": {"containers": []}, "status": {}}
            )
            pod["spec"]["containers"].append(
                {"name": container.name, "image": container.image, "resources": {}}
            )
        return json_of({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(pods.values())})


def _off(message: str) -> Handler:
    """The answer of a page that is switched off here."""

    async def handler(_: Request) -> Answer:
        return text(message, 405)

    return handler
