"""Lifecycle hooks: what a container asks to be done right after its start and before its stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kit.clock import Clock
from wherry.kubelet.probes.http import HttpProber, HttpTarget
from wherry.kubelet.probes.target import NoSuchPort, http_target
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.streams import Streams

log = logging.getLogger(__name__)

HOOK_TIMEOUT_S = 60.0
EXEC_LIMIT_S = 24 * 3600.0


class HookFailure(Exception):
    """The hook did not succeed; the message says how it failed."""


class Hooks:
    """Runs hooks against containers."""

    def __init__(self, runtime: Streams, clock: Clock, http: HttpProber) -> None:
        self._runtime = runtime
        self._clock = clock
        self._http = http

    async def run(
        self,
        hook: Mapping[str, Any],
        container: Mapping[str, Any],
        container_id: str,
        pod_ips: Sequence[str],
    ) -> None:
        """Do what `hook` says and wait for its end. Raises HookFailure, whatever went wrong."""
        try:
            await self._run(hook, container, container_id, pod_ips)
        except HookFailure:
            raise
        except Exception as error:
            # Nobody thought of this; but a container that cannot be stopped for it would be worse.
            log.exception("hook of container %s", container.get("name"))
            raise HookFailure(str(error) or type(error).__name__) from error

    async def _run(
        self,
        hook: Mapping[str, Any],
        container: Mapping[str, Any],
        container_id: str,
        pod_ips: Sequence[str],
    ) -> None:
        if hook.get("exec"):
            await self._exec(container_id, hook["exec"].get("command") or [])
        elif hook.get("httpGet"):
            await self._get(hook["httpGet"], container, pod_ips)
        elif hook.get("sleep") is not None:
            await self._clock.sleep(float(hook["sleep"].get("seconds") or 0))
        elif hook.get("tcpSocket"):
            raise HookFailure("tcpSocket hooks are not supported")

    async def _exec(self, container_id: str, command: Sequence[str]) -> None:
        try:
            result = await self._runtime.exec_sync(container_id, command, EXEC_LIMIT_S)
        except (RuntimeFailure, TimeoutError) as error:
            raise HookFailure(f"{list(command)}: {error}") from error
        if result.exit_code != 0:
            output = (result.stdout + result.stderr)[:1024].decode("utf-8", "replace").strip()
            shown = f": {output}" if output else ""
            raise HookFailure(f"command '{' '.join(command)}' exited with {result.exit_code}{shown}")

    async def _get(
        self, action: Mapping[str, Any], container: Mapping[str, Any], pod_ips: Sequence[str]
    ) -> None:
        try:
            target: HttpTarget = http_target(action, container, pod_ips, "kube-lifecycle/1.37")
        except NoSuchPort as error:
            raise HookFailure(str(error)) from error
        result = await asyncio.wait_for(self._http.get(target, HOOK_TIMEOUT_S), HOOK_TIMEOUT_S + 5)
        if not result.reached:
            raise HookFailure(result.output)
