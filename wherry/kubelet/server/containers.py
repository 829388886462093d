"""Into a pod: its containers' logs, commands in them, their own streams, its ports.

Finds the pod and container a path names, and says in upstream's words when there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from wherry.kit.clock import Clock
from wherry.kit.httpd.message import (
    Answer,
    Duplex,
    Request,
    Response,
    StreamResponse,
    UpgradeResponse,
    Writer,
)
from wherry.kit.httpd.upgrades import is_websocket
from wherry.kit.httpd.websocket import WebSocket, accept
from wherry.kit.integers import go_unsigned
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.server.answers import NOT_THERE, NotServed
from wherry.kubelet.server.bridge import PROTOCOL, Wanted, bridge, dial
from wherry.kubelet.server.exits import Exits
from wherry.kubelet.server.follow import send_log
from wherry.kubelet.server.logs import BadLogOptions, parse_options
from wherry.kubelet.server.ports import PORT_FORWARD_TUNNEL, dial_ports, tunnel_frames
from wherry.kubelet.server.tunnel import UpgradeRefused, connect, pump
from wherry.objects.errors import show_value
from wherry.objects.meta import Object

_SPEC_FIELDS = ("initContainers", "containers", "ephemeralContainers")
RUN_TIMEOUT_S = 120.0
_STATUS_FIELDS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


class ContainerDoors:
    """Answers for one node's containers."""

    def __init__(
        self, runtime: Runtime, pods: Callable[[], list[Object]], clock: Clock, log_dir: Path
    ) -> None:
        self._runtime = runtime
        self._pods = pods
        self._clock = clock
        self._log_dir = log_dir
        self._exits = Exits(runtime)

    async def close(self) -> None:
        """Let go of the runtime's events."""
        await self._exits.close()

    async def logs(self, request: Request) -> Answer:
        """`/containerLogs/{namespace}/{pod}/{container}`. Raises NotServed, RuntimeFailure."""
        namespace, name, container_name = _segments(request, 3)
        query = {key: values[0] for key, values in parse_qs(request.query).items()}
        try:
            options = parse_options(query, self._clock.now())
        except BadLogOptions as error:
            raise NotServed(str(error), 422) from error
        pod = self._pod(namespace, name, f'pod "{name}" does not exist\n')
        if container_name not in _names(pod):
            raise NotServed(f'container "{container_name}" not found in pod "{name}"\n', 404)
        uid = pod["metadata"]["uid"]
        runs = await self._runs(uid, container_name)
        container = _logged_run(runs, pod, container_name, previous=options.previous)
        path = Path(container.log_path)
        # Resolved: who can write to the log directory could leave a link to any file of the node there.
        if not path.resolve().is_relative_to(self._log_dir.resolve()) or not path.exists():
            complaint = f'failed to try resolving symlinks in path "{path}": no such file or directory'
            raise NotServed(complaint, 500)

        async def ended() -> None:
            if options.follow:
                await self._exits.wait(container.id, uid)

        async def run(writer: Writer) -> None:
            await send_log(path, options, writer, ended())

        return StreamResponse(run, content_type="text/plain", is_followed=options.follow)

    async def run(self, request: Request) -> Answer:
        """POST `/run/{namespace}/{pod}[/{uid}]/{container}?cmd=...`: what the command says, waited for.

        Raises NotServed, RuntimeFailure, TimeoutError.
        """
        namespace, name, *_, container_name = _segments(request, 3)
        running = await self._running(self._pod(namespace, name, "pod does not exist"), container_name)
        command = parse_qs(request.query, keep_blank_values=True).get("cmd", [""])[0].split(" ")
        result = await self._runtime.exec_sync(running.id, command, RUN_TIMEOUT_S)
        said = result.stdout + result.stderr
        if result.exit_code:
            raise NotServed(
                f"command '{' '.join(command)}' exited with {result.exit_code}: "
                f"{said.decode(errors='replace')}",
                500,
            )
        return Response(said)

    async def running(self, namespace: str, name: str, container_name: str) -> Container:
        """The container of a pod, which has to run. Raises NotServed, RuntimeFailure."""
        pod = self._pod(namespace, name, "pod does not exist")
        if container_name not in _names(pod):
            raise NotServed(f"container {container_name} does not exist", 404)
        return await self._running(pod, container_name)

    async def execute(self, request: Request) -> Answer:
        """`/exec/{namespace}/{pod}[/{uid}]/{container}`. Raises NotServed, RuntimeFailure, OSError."""
        return await self._stream(request, "exec")

    async def attach(self, request: Request) -> Answer:
        """`/attach/...`, as `execute`."""
        return await self._stream(request, "attach")

    async def port_forward(self, request: Request) -> Answer:
        """`/portForward/{namespace}/{pod}[/{uid}]`. Raises NotServed, RuntimeFailure, OSError."""
        namespace, name, *uids = _segments(request, 2)
        pod = self._pod(namespace, name, "pod does not exist")
        if uids and uids[0] != pod["metadata"]["uid"]:
            raise NotServed("pod not found", 404)
        sandboxes = await self._runtime.sandboxes(pod["metadata"]["uid"])
        ready = [sandbox for sandbox in sandboxes if sandbox.ready]
        if not ready:
            raise NotServed(f'not found ("{name}_{namespace}")', 500)
        query = parse_qs(request.query)
        ports = [p for text in (*query.get("port", ()), *query.get("ports", ())) for p in text.split(",")]
        for port in ports:
            try:
                number = go_unsigned(port, 16)
            except ValueError as error:
                raise NotServed(f"unable to parse {show_value(port)} as a port: {error}", 400) from error
            if number < 1:
                raise NotServed(f'port "{number}" must be > 0', 400)
        url = await self._runtime.streaming_url("port-forward", ready[0].id, {"ports": ports})
        if PORT_FORWARD_TUNNEL not in request.headers.get("sec-websocket-protocol", ""):
            return await _let_through(request, url)
        upstream = await dial_ports(url)

        async def run(socket: WebSocket) -> None:
            await tunnel_frames(socket, upstream)

        answer = accept(request, (PORT_FORWARD_TUNNEL,), run, clock=self._clock)
        if isinstance(answer, Response):
            await upstream.close()
        return answer

    async def _stream(self, request: Request, verb: str) -> Answer:
        namespace, name, *uids, container_name = _segments(request, 3)
        pod = self._pod(namespace, name, "pod does not exist")
        if uids and uids[0] != pod["metadata"]["uid"]:
            raise NotServed(f'container not found ("{container_name}")', 500)
        query = parse_qs(request.query, keep_blank_values=True)
        wanted = Wanted(
            stdin=_is_set(query, "input", "stdin"),
            stdout=_is_set(query, "output", "stdout"),
            stderr=_is_set(query, "error", "stderr"),
            tty=_is_set(query, "tty"),
        )
        if not (wanted.stdin or wanted.stdout or wanted.stderr):
            raise NotServed("you must specify at least 1 of stdin, stdout, stderr", 400)
        running = await self._running(pod, container_name)
        options: dict[str, Any] = {
            "command": query.get("command", []),
            "stdin": wanted.stdin,
            "stdout": wanted.stdout,
            # A terminal has one output; runtimes refuse a separate stderr then.
            "stderr": wanted.stderr and not wanted.tty,
            "tty": wanted.tty,
        }
        url = await self._runtime.streaming_url(verb, running.id, options)
        if is_websocket(request) and PROTOCOL in request.headers.get("sec-websocket-protocol", ""):
            return await self._bridged(request, url, wanted)
        return await _let_through(request, url)

    async def _running(self, pod: Object, container_name: str) -> Container:
        runs = await self._runs(pod["metadata"]["uid"], container_name)
        running = [run for run in runs if run.phase is Phase.RUNNING]
        if not running:
            raise NotServed(f'container not found ("{container_name}")', 500)
        return running[0]

    async def _bridged(self, request: Request, url: str, wanted: Wanted) -> Answer:
        upstream = await dial(url)

        async def run(socket: WebSocket) -> None:
            await bridge(socket, upstream, wanted)

        answer = accept(request, (PROTOCOL,), run, clock=self._clock)
        if isinstance(answer, Response):
            await upstream.close()
        return answer

    def _pod(self, namespace: str, name: str, complaint: str) -> Object:
        for pod in self._pods():
            metadata = pod["metadata"]
            if metadata.get("name") == name and metadata.get("namespace") == namespace:
                return pod
        raise NotServed(complaint, 404)

    async def _runs(self, uid: str, container_name: str) -> list[Container]:
        """The runs of one container, the newest first."""
        runs = [run for run in await self._runtime.containers(uid) if run.name == container_name]
        return sorted(runs, key=lambda run: (run.attempt, run.created), reverse=True)


async def _let_through(request: Request, url: str) -> Answer:
    """Hand the upgrade to the runtime as the client asked for it."""
    try:
        upstream = await connect(url, request.method, request.headers)
    except UpgradeRefused as error:
        return Response(error.body, error.status, "text/plain")

    async def run(duplex: Duplex) -> None:
        await pump(duplex, upstream)

    return UpgradeResponse(run, upstream.headers)


def _logged_run(runs: list[Container], pod: Object, name: str, *, previous: bool) -> Container:
    """The run whose log is meant. Raises NotServed in upstream's words when it has none."""
    pod_name = pod["metadata"]["name"]
    if previous:
        if len(runs) < 2:
            raise NotServed(f'previous terminated container "{name}" in pod "{pod_name}" not found', 400)
        return runs[1]
    current = runs[0] if runs else None
    if current is not None and current.phase in (Phase.RUNNING, Phase.EXITED):
        return current
    if current is not None and len(runs) > 1:
        return runs[1]
    waiting = _waiting_reason(pod, name)
    if waiting:
        raise NotServed(f'container "{name}" in pod "{pod_name}" is waiting to start: {waiting}', 400)
    raise NotServed(f'container "{name}" in pod "{pod_name}" is not available', 400)


def _waiting_reason(pod: Object, name: str) -> str:
    """Why the container waits, preferring what went wrong with its image, as upstream says it."""
    status: Any = pod.get("status") or {}
    for field in _STATUS_FIELDS:
        for container in status.get(field) or ():
            if container.get("name") == name:
                waiting = (container.get("state") or {}).get("waiting") or {}
                reason: str = waiting.get("reason") or ""
                if reason in ("ErrImagePull", "ImagePullBackOff"):
                    return {
                        "ErrImagePull": "image can't be pulled",
                        "ImagePullBackOff": "trying and failing to pull image",
                    }[reason]
                return reason
    return "ContainerCreating"


def _names(pod: Object) -> set[str]:
    spec: Any = pod.get("spec") or {}
    return {container["name"] for field in _SPEC_FIELDS for container in spec.get(field) or ()}


def _segments(request: Request, least: int) -> list[str]:
    parts = request.path.strip("/").split("/")[1:]
    if not least <= len(parts) <= least + 1:
        raise NotServed(NOT_THERE, 404)
    return parts


def _is_set(query: dict[str, list[str]], *names: str) -> bool:
    return any(query.get(name, [""])[0].lower() in ("1", "t", "true") for name in names)
