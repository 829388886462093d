"""A containerd of the cluster's own: started, found again, ended, and cleaned up after.

It runs in a session of its own and outlives the agent, as its containers do; the next agent adopts
it by its pid file. Its root, state, sockets, network namespaces and runc state lie in the cluster's
directories, so clusters do not meet. From start to CRI answering takes some 40 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from wherry.images.load import ImageStore, ImportFailed, load_image, tag_image
from wherry.images.pause import PAUSE_IMAGE, pack_pause
from wherry.kit.cgroups import processes_in, remove_cgroup
from wherry.kit.children import end, spawn, wait_gone
from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kit.mounts import detach_all, mounts_below
from wherry.kit.processes import ProcessRecord
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.registries.hosts import write_hosts
from wherry.kubelet.registries.registries import NONE, Registries
from wherry.kubelet.registries.rewriting import Pull, RewritingPulls
from wherry.kubelet.runtimes.containerd.config import ContainerdPaths, render_config
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containerd.facts import MachineFacts
from wherry.kubelet.runtimes.containerd.processes import containerd_command, containerd_of, shims_of
from wherry.kubelet.runtimes.containerd.remains import (
    remove_trees,
    shim_sockets,
)
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.network.cni import release_leaked

log = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
END_TIMEOUT_S = 10.0
TRY_TIMEOUT_S = 5.0
"""How long one question to a containerd that is coming up may take."""
_FIRST_DELAY_S = 0.002
_LONGEST_DELAY_S = 0.1
_RESTART_DELAY_S = 1.0
_COMPLAINT = re.compile(r"level=(error|fatal)|^containerd:")


class DaemonFailed(Exception):
    """containerd did not come up or would not end; the text names the log and its last lines."""


EXPECTED = (DaemonFailed, ImportFailed, RuntimeFailure, OSError)
"""What may keep containerd from coming up, for a while."""


class ContainerdDaemon:
    """One containerd and what belongs to it.

    `addresses` is where those given to pods are written down (`network/cni`), None where none are.
    `cgroup_root` is the cgroup below which all pods' cgroups lie, "" when there is no such one. `registries`
    is where it pulls images from.
    """

    def __init__(
        self,
        paths: ContainerdPaths,
        facts: MachineFacts,
        clock: Clock,
        *,
        addresses: Path | None = None,
        cgroup_root: str = "",
        registries: Registries = NONE,
    ) -> None:
        self.paths = paths
        self._registries = registries
        self._facts = facts
        self._clock = clock
        self._addresses = addresses
        self._cgroup_root = cgroup_root
        self._process: ProcessRecord | None = None
        self._stopped = asyncio.Event()

    @property
    def pid(self) -> int:
        """The process of the running containerd, 0 when there is none."""
        process = self._process or ProcessRecord.read(self.paths.pid_file)
        return process.pid if process is not None else 0

    @property
    def image_store(self) -> ImageStore:
        """Where to load images into."""
        snapshotter = "overlayfs" if self._facts.overlayfs else "native"
        return ImageStore(self._facts.ctr, self.paths.socket, snapshotter)

    async def start(self) -> None:
        """Have containerd run and answer, with the pause image in place; networked or not.

        One that runs already is adopted; if its configuration is outdated it is exchanged under
        its containers, which run on. Raises DaemonFailed, ImportFailed.
        """
        self._stopped.clear()
        await self._run()

    async def until_networked(self) -> bool:
        """Wait until containerd has read the pod network's configuration; whether it has in time."""
        process = await self._running()
        if process is None:
            return False
        async with self._runtime() as runtime:

            async def is_networked() -> bool:
                with contextlib.suppress(RuntimeFailure):
                    return (await runtime.status()).network_ready
                return False

            return await self._retry(is_networked, process)

    async def supervise(self) -> None:
        """Start containerd again whenever it ends by itself; returns once `stop` was called.

        Whatever goes wrong while it starts is logged and tried again, later each time, for ever. Cancel
        it before `stop`, which must not meet a containerd that is just being started.
        """
        tasks = Tasks("containerd")
        keeper = Repeater(
            "containerd", self._keep, tasks, self._clock, first_s=_RESTART_DELAY_S, expected=EXPECTED
        )
        keeper.poke()
        try:
            await self._stopped.wait()
        finally:
            await keeper.close()
            await tasks.close()

    async def _keep(self) -> float | None:
        """Have containerd run until it ends; then at once again."""
        if self._stopped.is_set():
            return None
        process = self._process
        if process is None or not process.is_alive():
            process = await self._run()
        began = self._clock.monotonic()
        await wait_gone(process)
        if self._stopped.is_set():
            return None
        log.error("containerd ended unexpectedly; starting it again, see %s", self.paths.log_file)
        return 0.0 if self._clock.monotonic() - began > _RESTART_DELAY_S else _RESTART_DELAY_S

    async def stop(self, grace_s: int = 0, *, forget: bool = False) -> None:
        """End every container (`grace_s` seconds to leave by itself), then containerd.

        Images stay, and unless `forget` the containers' records. Raises DaemonFailed.
        """
        self._stopped.set()
        process = await self._running()
        self._process = None
        if process is not None:
            try:
                await asyncio.wait_for(self._end_pods(grace_s, forget=forget), grace_s + END_TIMEOUT_S)
            except (RuntimeFailure, TimeoutError) as error:
                log.warning("containers do not end in good order, killing them: %s", error)
            if await end([process], signal.SIGTERM, END_TIMEOUT_S):
                await end([process], signal.SIGKILL, END_TIMEOUT_S)
        await self._kill_rest()
        self.paths.pid_file.unlink(missing_ok=True)

    async def cleanup(self) -> None:
        """Take down, and remove images and all other files too. Raises as `take_down`."""
        await self.take_down()
        await asyncio.to_thread(remove_trees, (self.paths.root,))

    async def take_down(self) -> None:
        """Stop, then remove containers, mounts, cgroups and state; images stay.

        Works too when containerd and whoever started it were killed.
        Raises DaemonFailed, OSError for what resists.
        """
        await self.stop(forget=True)
        sockets = shim_sockets(self.paths.state)
        await asyncio.to_thread(detach_all, mounts_below((self.paths.root, self.paths.state)))
        for socket in sockets:
            socket.unlink(missing_ok=True)
        if self._cgroup_root:
            await asyncio.to_thread(remove_cgroup, self._cgroup_root)
        await asyncio.to_thread(remove_trees, (self.paths.state,))

    async def _run(self) -> ProcessRecord:
        """Find containerd or start it, wait until it can be used; its process."""
        paths = self.paths
        paths.root.mkdir(parents=True, exist_ok=True)
        paths.state.mkdir(parents=True, exist_ok=True, mode=0o711)
        if self._registries != NONE:
            write_hosts(paths.hosts, self._registries)
        text = render_config(paths, self._facts, PAUSE_IMAGE, self._registries)
        fresh = paths.config.exists() and paths.config.read_text() == text
        process = await self._running()
        if process is not None and not fresh:
            log.info("exchanging containerd %d: its configuration is outdated", process.pid)
            await end([process], signal.SIGTERM, END_TIMEOUT_S)
            process = await self._running()
        if process is None:
            _write_secretly(paths.config, text)
            process = spawn(containerd_command(self._facts.containerd, paths.config), paths.log_file)
        process.write(paths.pid_file)
        await self._until_answering(process)
        await self._prepare(process)
        self._process = process
        return process

    async def _running(self) -> ProcessRecord | None:
        """The containerd that runs, by its pid file or, if there is none, by its arguments."""
        known = ProcessRecord.read(self.paths.pid_file)
        return known or await asyncio.to_thread(containerd_of, self.paths.config)

    async def _until_answering(self, process: ProcessRecord) -> None:
        if not await self._retry(self._accepts, process):
            raise self._failed("does not answer")
        async with self._runtime() as runtime:

            async def is_ready() -> bool:
                with contextlib.suppress(RuntimeFailure):
                    return (await runtime.status()).ready
                return False

            if not await self._retry(is_ready, process):
                raise self._failed("runs, but its CRI plugin does not")

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self.paths.socket))
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    async def _retry(self, attempt: Callable[[], Coroutine[Any, Any, bool]], process: ProcessRecord) -> bool:
        """Try until it works, the process ends or time is up; a try that hangs has failed.

        containerd tells nobody when it is ready, so it is asked: soon at first, then less often.
        """
        deadline = self._clock.monotonic() + START_TIMEOUT_S
        delay_s = _FIRST_DELAY_S
        while True:
            with contextlib.suppress(TimeoutError):
                if await within(TRY_TIMEOUT_S, attempt(), self._clock):
                    return True
            if not process.is_alive() or self._clock.monotonic() > deadline:
                return False
            await self._clock.sleep(delay_s)
            delay_s = min(delay_s * 1.5, _LONGEST_DELAY_S)

    async def _prepare(self, process: ProcessRecord) -> None:
        """Give back leaked addresses and have the pause image."""
        async with self._runtime() as runtime:
            if self._addresses is not None:
                known = {sandbox.id for sandbox in await runtime.sandboxes()}
                leaked = release_leaked(self._addresses, known, self._started_at(process))
                if leaked:
                    log.info("released addresses of sandboxes that are gone: %s", ", ".join(leaked))
            if await runtime.image(PAUSE_IMAGE) is not None:
                return
            with tempfile.TemporaryDirectory(prefix="pause-", dir=self.paths.root) as directory:
                archive = Path(directory) / "pause.tar"
                pack_pause(archive)
                await load_image(self.image_store, archive)

            async def is_visible() -> bool:
                return await runtime.image(PAUSE_IMAGE) is not None

            # CRI hears of an imported image by an event; before that it would try a registry.
            if not await self._retry(is_visible, process):
                raise self._failed("does not show the pause image it was given")

    def _started_at(self, process: ProcessRecord) -> float:
        """A time before which this containerd gave out nothing, also when the clock was set meanwhile."""
        return min(process.started_at(), self.paths.pid_file.stat().st_mtime)

    async def _end_pods(self, grace_s: int, *, forget: bool) -> None:
        async with self._runtime() as runtime:
            containers = await runtime.containers()
            if grace_s:
                await asyncio.gather(*(runtime.stop_container(c.id, grace_s) for c in containers))
            sandboxes = await runtime.sandboxes()
            await asyncio.gather(*(runtime.stop_sandbox(s.id) for s in sandboxes))
            if forget:
                await asyncio.gather(*(runtime.remove_sandbox(s.id) for s in sandboxes))

    async def _kill_rest(self) -> None:
        """Kill shims that outlived containerd, and what runs in the pods' cgroups."""
        left = shims_of(self.paths.socket)
        left += [p for pid in processes_in(self._cgroup_root) if (p := ProcessRecord.of(pid)) is not None]
        stubborn = await end(left, signal.SIGKILL, END_TIMEOUT_S)
        if stubborn:
            pids = ", ".join(str(process.pid) for process in stubborn)
            raise DaemonFailed(f"processes of containers do not end: {pids}")

    def pulls(self, pull: Pull) -> Pull:
        """`pull`, from mirrors first that have images under other names."""
        if not any(mirror.rewrites for mirror in self._registries.mirrors.values()):
            return pull
        return RewritingPulls(self._registries, pull, self._tag).pull

    async def _tag(self, reference: str, other: str) -> None:
        try:
            await tag_image(self.image_store, reference, other)
        except ImportFailed as error:
            raise RuntimeFailure(str(error)) from error

    def _runtime(self) -> contextlib.AbstractAsyncContextManager[ContainerdRuntime]:
        return _closing(ContainerdRuntime(self.paths.socket, self._clock))

    def _failed(self, what: str) -> DaemonFailed:
        try:
            lines = self.paths.log_file.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        said = "; ".join([line for line in lines if _COMPLAINT.search(line)][-3:])
        return DaemonFailed(f"containerd {what}; see {self.paths.log_file}" + (f": {said}" if said else ""))


@contextlib.asynccontextmanager
async def _closing(runtime: ContainerdRuntime) -> AsyncIterator[ContainerdRuntime]:
    try:
        yield runtime
    finally:
        await runtime.close()


def _write_secretly(path: Path, text: str) -> None:
    """Only its owner may read it, at no moment anybody else."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)  # one that an earlier version made
        file.write(text)
