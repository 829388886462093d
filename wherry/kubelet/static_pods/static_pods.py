"""The static pods of a node: what its sources say is what its workers run.

Source: pkg/kubelet/config (PodConfig) and pkg/kubelet/pod_workers.go (allowPodStart): of several pods with
one namespace and name only one runs at a time; the next begins when nothing of the one before is left. The
same holds of one uid, which manifests that were exported from one pod share.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.containers import Container
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.sandboxes import Sandbox
from wherry.kubelet.static_pods.folder import Folder
from wherry.kubelet.static_pods.manifest import FILE, HTTP
from wherry.kubelet.static_pods.mirrors import Mirrors
from wherry.kubelet.static_pods.url import Url
from wherry.kubelet.workers.pool import HELD_UP, PodWorkers
from wherry.objects.meta import Object, format_time, key_of, uid_of

log = logging.getLogger(__name__)


class StaticPods:
    """Runs what a folder and a URL say, through `workers`, and shows it by `mirrors`.

    `on_complete()` is called once, when every source was read.
    """

    def __init__(
        self,
        config: KubeletConfig,
        runtime: Runtime,
        workers: PodWorkers,
        mirrors: Mirrors,
        disk: Disk,
        clock: Clock,
        on_complete: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._workers = workers
        self._mirrors = mirrors
        self._on_complete = on_complete
        self._sources: list[Folder | Url] = []
        self._said: dict[str, dict[str, Object] | None] = {}
        """By source its pods by namespace and name; None before it was read."""
        name, said = config.node_name, self._source_said
        if config.static_pod_path is not None:
            path, check_s = config.static_pod_path, config.file_check_s
            self._sources.append(Folder(path, name, check_s, disk, clock, partial(said, FILE)))
            self._said[FILE] = None
        if config.static_pod_url:
            url, headers = config.static_pod_url, config.static_pod_url_header
            self._sources.append(Url(url, headers, name, config.http_check_s, clock, partial(said, HTTP)))
            self._said[HTTP] = None
        self._run: dict[str, Object] = {}
        """By namespace and name the pod that has a worker."""
        self._ending: set[str] = set()
        self._left: dict[str, tuple[Sandbox, list[Container]]] = {}
        """What static pods an agent before this one left running, by uid."""
        self._blocked: dict[str, str] = {}
        """What is being taken down of these: the namespace and name, by uid."""
        self._held_up: dict[str, str] = {}
        """By namespace and name the pod that waits for another with its uid: for which one."""
        self._is_complete = False

    async def start(self) -> None:
        """Begin. Raises RuntimeFailure."""
        if self._sources:
            sandboxes, containers = await asyncio.gather(
                self._runtime.sandboxes(), self._runtime.containers()
            )
            for sandbox in sandboxes:
                if sandbox.ready and _is_static_uid(sandbox.uid):
                    self._left[sandbox.uid] = (sandbox, [c for c in containers if c.sandbox_id == sandbox.id])
        self._workers.on_gone(self._gone)
        for source in self._sources:
            source.start()
        if not self._sources:
            self._settle()

    async def close(self) -> None:
        """Follow no more; what runs goes on."""
        for source in self._sources:
            await source.close()

    def _source_said(self, source: str, pods: Sequence[Object]) -> None:
        self._said[source] = {key_of(pod): pod for pod in pods}
        self._settle()

    def _settle(self) -> None:
        """Have run what is wanted, as far as it may begin."""
        is_all_read = all(said is not None for said in self._said.values())
        wanted = self._wanted()
        self._sort_out_left(wanted, is_all_read=is_all_read)
        for key, running in list(self._run.items()):
            if key in self._ending:
                continue
            same = next((pod for pod in wanted.get(key, ()) if uid_of(pod) == uid_of(running)), None)
            if same is None:
                log.info("static pod %s ends: no manifest describes it any more", key)
                self._ending.add(key)
                self._workers.changed(running, None)
            elif same["spec"] != running["spec"] or same["metadata"] != running["metadata"]:
                self._run[key] = {**same, "status": running["status"]}
                self._workers.changed(running, self._run[key])
                self._mirrors.want(self._run[key])
        for key, candidates in wanted.items():
            if key in self._run or key in self._blocked.values():
                continue
            if not self._is_held_up(key, uid_of(candidates[0])):
                self._begin(key, candidates[0])
        self._held_up = {key: holder for key, holder in self._held_up.items() if key in wanted}
        if is_all_read and not self._is_complete:
            self._is_complete = True
            self._mirrors.complete()
            self._on_complete()

    def _wanted(self) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for pods in self._said.values():
            for key, pod in (pods or {}).items():
                found.setdefault(key, []).append(pod)
        return found

    def _sort_out_left(self, wanted: dict[str, list[Object]], *, is_all_read: bool) -> None:
        """Take down what runs of static pods nobody wants, or wants otherwise."""
        uids = {(key, uid_of(pod)) for key, pods in wanted.items() for pod in pods}
        for uid, (sandbox, containers) in list(self._left.items()):
            key = f"{sandbox.namespace}/{sandbox.name}"
            if (key, uid) not in uids and (is_all_read or key in wanted):
                del self._left[uid]
                self._blocked[uid] = key
                self._workers.take_down(sandbox, containers)

    def _is_held_up(self, key: str, uid: str) -> bool:
        """Whether a pod has to wait, since another one of this node has its uid."""
        left = self._left.get(uid)
        holder = f"{left[0].namespace}/{left[0].name}" if left is not None else self._workers.holder(uid)
        if holder is None or (left is not None and holder == key):
            self._held_up.pop(key, None)
            return False
        if holder != key and self._held_up.get(key) != holder:
            log.error(HELD_UP, key, holder, uid)
        self._held_up[key] = holder
        return True

    def _begin(self, key: str, pod: Object) -> None:
        left = self._left.pop(uid_of(pod), None)
        if left is not None:  # it was admitted by an agent before this one
            began = format_time(left[0].created)
            pod = {**pod, "status": {**pod["status"], "startTime": began}}
        self._run[key] = pod
        self._mirrors.want(pod)
        self._workers.changed(None, pod)

    def _gone(self, uid: str) -> None:
        """Nothing of the pod is left on the node."""
        self._blocked.pop(uid, None)
        key = next((key for key, pod in self._run.items() if uid_of(pod) == uid), None)
        if key is not None:
            del self._run[key]
            self._ending.discard(key)
            if key not in self._wanted():
                self._mirrors.drop(key)
        self._settle()


def _is_static_uid(uid: str) -> bool:
    """Whether a pod's uid was made of its manifest: the API server's have hyphens."""
    return len(uid) == 32 and "-" not in uid
