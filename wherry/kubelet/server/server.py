"""The kubelet's HTTPS API: which path is answered by what, and to whom.

`KubeletServer` wires the parts; each answer is made by `containers` (logs, exec, attach, port
forwarding) or from the pods and figures at hand. Errors come as plain text, as upstream's kubelet
sends them and the API server expects.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from wherry.kit.certificates import ServedCertificate
from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Answer, Request, Response
from wherry.kit.httpd.server import Server
from wherry.kubelet.runtimes.containers import Phase
from wherry.kubelet.runtimes.failures import NoSuchThing, RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.usage import Meter
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.containers import ContainerDoors, NotServed
from wherry.kubelet.server.identity import is_allowed, ssl_context, user_of
from wherry.kubelet.server.stats import Rates, read_node_usage, render_resource_metrics, summarize
from wherry.objects.meta import Object

log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
Page = Callable[[Request], Awaitable[Answer]]


class KubeletServer:
    """Serves the kubelet API of one node for `pods()`, the pods bound to it.

    What containers use is told if the runtime is a `Meter`. `extra_metrics` adds to `/metrics`.
    """

    def __init__(
        self,
        runtime: Runtime,
        pods: Callable[[], list[Object]],
        config: KubeletServerConfig,
        clock: Clock,
        *,
        extra_metrics: Callable[[], str] = str,
    ) -> None:
        self._runtime = runtime
        self._pods = pods
        self._config = config
        self._clock = clock
        self._meter = runtime if isinstance(runtime, Meter) else None
        self._extra_metrics = extra_metrics
        self._rates = Rates()
        self._doors = ContainerDoors(runtime, pods, clock, config.log_dir)
        self._server: Server | None = None
        self._certificate: ServedCertificate | None = None
        self._requests: dict[tuple[str, int], int] = {}
        self._pages: dict[str, Page] = {
            "healthz": self._healthz,
            "pods": self._pod_list,
            "runningpods": self._running_pods,
            "stats": self._summary,
            "metrics": self._metrics,
            "containerLogs": self._doors.logs,
            "exec": self._doors.execute,
            "attach": self._doors.attach,
            "portForward": self._doors.port_forward,
        }

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
        await self._doors.close()

    async def answer(self, request: Request) -> Answer:
        """Answer one request; every failure becomes an answer."""
        page = request.path.split("/", 2)[1]
        answer = self._refusal(request) or await self._answer(page, request)
        if isinstance(answer, Response):
            key = (page if page in self._pages else "other", answer.status)
            self._requests[key] = self._requests.get(key, 0) + 1
        return answer

    async def _answer(self, page: str, request: Request) -> Answer:
        handler = self._pages.get(page)
        if handler is None:
            return text("404 page not found\n", 404)
        try:
            return await handler(request)
        except NotServed as error:
            return text(str(error), error.status)
        except NoSuchThing as error:
            return text(str(error), 404)
        except (RuntimeFailure, OSError) as error:
            log.warning("%s %s: %s", request.method, request.path, error)
            return text(str(error), 500)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to somebody who may not ask, None for who may. Decided once a connection."""
        memo = request.connection.memo
        if "allowed" not in memo:
            user, groups = user_of(request.connection.peer_subject)
            memo["user"], memo["allowed"] = user, is_allowed(user, groups, self._config.allowed_names)
        if memo["allowed"]:
            return None
        verb = {"GET": "get", "POST": "create"}.get(request.method, request.method.lower())
        who = memo["user"] or "system:anonymous"
        return text(f"Forbidden (user={who}, verb={verb}, resource=nodes, subresource(s)=[proxy])", 403)

    async def _healthz(self, request: Request) -> Answer:
        status = await self._runtime.status()
        if not status.ready:
            return text(f"[-]container runtime failed: {status.message}\nhealthz check failed\n", 500)
        return text("ok")

    async def _pod_list(self, request: Request) -> Answer:
        return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._pods()})

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
        return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(pods.values())})

    async def _summary(self, request: Request) -> Answer:
        if request.path.rstrip("/") not in ("/stats/summary", "/stats"):
            return text("404 page not found\n", 404)
        containers = await self._meter.usage() if self._meter is not None else []
        node = read_node_usage(self._clock.now())
        return _json(summarize(self._config.node_name, node, containers, self._rates))

    async def _metrics(self, request: Request) -> Answer:
        if request.path == "/metrics/resource":
            containers = await self._meter.usage() if self._meter is not None else []
            node = read_node_usage(self._clock.now())
            return Response(render_resource_metrics(node, containers).encode(), content_type=METRICS)
        if request.path != "/metrics":
            return text("404 page not found\n", 404)
        return Response((await self._own_metrics()).encode(), content_type=METRICS)

    async def _own_metrics(self) -> str:
        containers = await self._runtime.containers()
        lines = [
            "# HELP kubelet_running_pods Number of pods that have a running pod sandbox",
            "# TYPE kubelet_running_pods gauge",
            f"kubelet_running_pods {sum(s.ready for s in await self._runtime.sandboxes())}",
            "# HELP kubelet_running_containers Number of containers currently running",
            "# TYPE kubelet_running_containers gauge",
        ]
        for phase in (Phase.CREATED, Phase.RUNNING, Phase.EXITED):
            count = sum(container.phase is phase for container in containers)
            lines.append(f'kubelet_running_containers{{container_state="{phase.value}"}} {count}')
        lines += [
            "# HELP kubelet_http_requests_total Number of HTTP requests answered since the start",
            "# TYPE kubelet_http_requests_total counter",
        ]
        for (page, status), count in sorted(self._requests.items()):
            lines.append(f'kubelet_http_requests_total{{path="{page}",status="{status}"}} {count}')
        return "\n".join([*lines, ""]) + self._extra_metrics()


def text(message: str, status: int = 200) -> Response:
    """A plain-text answer."""
    return Response(message.encode(), status, TEXT)


def _json(document: object) -> Response:
    return Response(json.dumps(document).encode())
