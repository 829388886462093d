"""A whole cluster inside a test: `Cluster`, for `with`; `AsyncCluster`, for `async with`."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from wherry.apiserver.user import AUTHENTICATED, User
from wherry.client.transport import Transport
from wherry.kit.given_files import GivenUpError
from wherry.kit.tasks import to_the_end
from wherry.objects.meta import Object
from wherry.testing import keys
from wherry.testing.client import AsyncClient, SyncClient
from wherry.testing.clocks import AsyncClusterClock, ClusterClock
from wherry.testing.conditions import Wanted
from wherry.testing.loop_thread import ClosedError, LoopThread
from wherry.testing.manifests import read_manifests
from wherry.testing.moment import Moment
from wherry.testing.node_handles import AsyncSimulatedNodes, SimulatedNodes
from wherry.testing.report import EventLine, event_lines, failure_report
from wherry.testing.settings import Settings, takes_settings
from wherry.testing.snapshot import Snapshot, checked_snapshot
from wherry.testing.spans import Span, seconds
from wherry.testing.verbs import FIELD_MANAGER, Objects, Verbs
from wherry.testing.waiting import target_of, wait_for
from wherry.testing.world import ADMIN, MASTERS, World

if TYPE_CHECKING:
    from wherry.testing.faults.fault import Fault
    from wherry.testing.faults.faults import Faults

T = TypeVar("T")
PATIENCE = "60s"
"""How long a wait lasts unless told otherwise; in simulated time that costs next to nothing."""
GIVEN_UP = "the start of the cluster was given up"
MOST_WARNINGS = 1000
"""How many are kept, the newest."""


class Hosted:
    """What both kinds of cluster are: a world on a thread of its own."""

    def __init__(
        self, settings: Settings, moment: Moment | None = None, faults: Sequence[Fault] | None = None
    ) -> None:
        self.settings = settings
        """What it was made with."""
        self._moment = moment
        self._faults = faults
        """Those its clients meet from the very start; None: their calls are not even written down."""
        self._thread: LoopThread | None = None
        self._world: World | None = None
        self._kubeconfig: Path | None = None
        self._lock = threading.RLock()
        """One at a time opens it, ends it, or makes it reachable."""
        self._warnings: deque[str] = deque(maxlen=MOST_WARNINGS)
        self._manifests: Sequence[Objects] = ()
        """What is to be applied at the start, read."""
        self._is_given_up = False
        """Whether nobody waits any more for it to be open."""

    @property
    def _running(self) -> LoopThread:
        if self._thread is None:
            raise ClosedError("the cluster does not run; use it in a `with`, or call start()")
        return self._thread

    @property
    def _at(self) -> World:
        if self._world is None:
            raise ClosedError("the cluster does not run; use it in a `with`, or call start()")
        return self._world

    def open(self) -> None:
        """Start it, if it does not run, and wait; tests say `start`, or use `with`.

        Raises SettingsError, ManifestError, ApiError; ClosedError when it was given up meanwhile.
        """
        with self._lock:
            if self._thread is None:
                self._open()

    def _open(self) -> None:
        try:
            self._manifests = self._read_manifests() if self._moment is None else ()
        except GivenUpError:
            raise ClosedError(GIVEN_UP) from None
        thread = self._thread = LoopThread("wherry cluster", self.settings.begins())
        world = World(self.settings, thread.loop)
        thread.before = world.whole
        try:
            if self._faults is not None:
                world.arm(self._faults)
            thread.call(partial(self._begin, world))
        except BaseException as error:
            self._thread = self._world = None
            thread.before = None
            try:
                thread.call(world.end)
            finally:
                thread.close()
            if isinstance(error, CancelledError):
                raise ClosedError(GIVEN_UP) from None
            raise

    def _read_manifests(self) -> Sequence[Objects]:
        """Not on the loop: that must hear of it when somebody ends the cluster while a file says nothing."""
        sources = (*self.settings.crds, *self.settings.objects)
        return [read_manifests(source, lambda: self._is_given_up) for source in sources]

    async def _begin(self, world: World) -> None:
        if self._is_given_up:
            raise ClosedError(GIVEN_UP)
        await world.open(self._moment)
        self._world = world
        if self._moment is not None:
            return
        verbs = self._verbs()
        manifests, self._manifests = self._manifests, ()
        for objects in manifests:
            await world.quiet()
            await verbs.apply(objects, "", FIELD_MANAGER)

    def give_up(self) -> None:
        """Nobody waits any more for `open`, which another thread does: it fails soon, or has ended."""
        self._is_given_up = True
        thread = self._thread
        if thread is not None:
            thread.interrupt()

    def shut(self) -> None:
        """End it and wait; nothing of it stays; tests say `close`, or use `with`. Nothing the second time.

        Raises WrongThreadError (in a condition, say), and then it goes on.
        """
        thread = self._thread
        if thread is not None:
            if (
                thread.is_elsewhere
            ):  # a forked process, which has none of it; what lies on disk is the other's
                return
            thread.check_thread()
        with self._lock:
            thread, world = self._thread, self._world
            if thread is None or world is None:
                return
            self._thread = self._world = None
            try:
                thread.before = None  # which would raise what a restart that failed left
                thread.close_after(world.end)
            finally:
                if self._kubeconfig is not None:
                    self._kubeconfig.unlink(missing_ok=True)
                    self._kubeconfig = None

    @property
    def url(self) -> str:
        """Where the API server listens, once a kubeconfig was asked for."""
        return self._at.url

    @property
    def faults(self) -> Faults:
        """What the cluster's clients have to live with."""
        from wherry.testing.faults.faults import Faults

        return Faults(self._running, self._at, lambda: Snapshot(self.settings, self._at.moment()))

    @property
    def warnings(self) -> list[str]:
        """What the API server warned this test's clients of (kubectl prints it), oldest first."""
        return list(self._warnings)

    def report(self) -> str:
        """What stands in the cluster, in lines for people who look into a failed test."""

        async def tell() -> str:
            return failure_report(self._at)

        return self._running.call(tell)

    def told(self) -> str:
        """`report`, or why there is none: whoever has an error to tell of already tells that one."""
        try:
            return self.report()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not take the other's place
            return f"cannot be told: {error!r}"

    def _note(self, error: Exception) -> None:
        """To an error that leaves the cluster's `with` goes what stood there: afterwards nobody can ask."""
        if self._thread is not None:
            error.add_note(f"Wherry cluster:\n{self.told()}")

    def _verbs(self, user: str = ADMIN, groups: Sequence[str] = (MASTERS,)) -> Verbs:
        world = self._at

        def connect() -> Transport:
            return world.running.api.local_transport(
                User(user, (*groups, AUTHENTICATED)), self._warnings.extend
            )

        return Verbs(connect, lambda: world.running.api.core.registry.resources())

    async def _read_events(self) -> list[EventLine]:
        return event_lines(self._at)

    async def _take_moment(self) -> Moment:
        return self._at.moment()

    def _write_kubeconfig(self) -> Path:
        from wherry.testing.access import kubeconfig_text

        with self._lock:
            if self._kubeconfig is None:
                self._running.call(self._at.listen)
                path = keys.scratch() / f"kubeconfig-{id(self):x}"
                path.touch(mode=0o600)
                path.write_text(kubeconfig_text(self._at.url))
                self._kubeconfig = path
            return self._kubeconfig


@takes_settings
class Cluster(Hosted):
    """A control plane with controllers, scheduler and simulated nodes, in this process.

        with Cluster(nodes=3) as c:
            c.apply("deployment.yaml")
            c.wait("deployment/web", "Available")

    It is made with settings: `help(wherry.testing.settings.Settings)` says what each is, as docs/testing.md
    does. Each call returns once everything has happened that follows from it and needs no time; time stands
    still unless `wait`, `clock` or a watch moves it. Once `kubeconfig` was asked for, others can reach the
    cluster, and time passes as the machine's does, at the machine's date unless `start` says another.
    """

    def __init__(self, nodes: int = 0, **settings: Any) -> None:
        super().__init__(Settings.of({"nodes": nodes, **settings}))

    def start(self) -> Cluster:
        """Start it, if it does not run. Raises SettingsError, ManifestError, ApiError."""
        self.open()
        return self

    def close(self) -> None:
        """End it; nothing of it stays. Does nothing the second time."""
        self.shut()

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, Exception):
                self._note(error)
        finally:
            self.close()

    @property
    def client(self) -> SyncClient:
        """The cluster's objects, as its administrator."""
        return SyncClient(self._running, self._verbs())

    def as_user(self, name: str, groups: Sequence[str] = ()) -> SyncClient:
        """The cluster's objects, as somebody else, with what RBAC lets them do."""
        return SyncClient(self._running, self._verbs(name, groups))

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig for clients of any language; from the first time on time is real.

        It passes by itself, and its date is the machine's unless the cluster was given a `start`: clients
        compare it with their own. What was made before is as old as its dates say.
        """
        return self._write_kubeconfig()

    @property
    def clock(self) -> ClusterClock:
        """The cluster's time."""
        return ClusterClock(self._running, self._at)

    @property
    def nodes(self) -> SimulatedNodes:
        """The simulated nodes."""
        return SimulatedNodes(self._running, self._at)

    def apply(self, source: Any, namespace: str = "", *, field_manager: str = FIELD_MANAGER) -> Objects:
        """Apply manifests (YAML, a path, objects), as `kubectl apply --server-side --force-conflicts`.

        What is stored of each then. Raises ManifestError, ApiError.
        """
        return self.client.apply(source, namespace, field_manager=field_manager)

    def wait(
        self,
        target: str | Mapping[str, Any],
        wanted: Wanted = "exists",
        *,
        namespace: str = "",
        timeout: Span = PATIENCE,
    ) -> Object:
        """The object ("deployment/web", or one applied) once it is as wanted; see `conditions.check_of`.

        Raises WaitTimeoutError, an AssertionError that says what stands there instead.
        """
        verbs, world, limit_s = self._verbs(), self._at, seconds(timeout)
        return self._running.call(
            lambda: wait_for(world, target_of(verbs, target, namespace), wanted, limit_s)
        )

    def events(self) -> list[EventLine]:
        """All events, oldest first."""
        return self._running.call(self._read_events)

    def snapshot(self) -> Snapshot:
        """What stands now, to go back to or to fork from."""
        return Snapshot(self.settings, self._running.call(self._take_moment))

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from `snapshot`, its time included, at the same address. Raises SnapshotError."""
        moment, world = checked_snapshot(snapshot).checked(), self._at
        self._running.call(lambda: world.swap(moment))

    def fork(self, snapshot: Snapshot | None = None) -> Cluster:
        """A cluster of its own that goes on from here (or from `snapshot`). Raises ClosedError."""
        return (self.snapshot() if snapshot is None else checked_snapshot(snapshot)).fork()


@takes_settings
class AsyncCluster(Hosted):
    """The same for tests with a loop of their own: `async with AsyncCluster(nodes=3) as c`.

    The cluster lives on a thread of its own all the same: what the test's loop does takes real time.
    """

    def __init__(self, nodes: int = 0, **settings: Any) -> None:
        super().__init__(Settings.of({"nodes": nodes, **settings}))

    async def start(self) -> AsyncCluster:
        """See `Cluster.start`. Whoever is cancelled meanwhile leaves nothing that runs."""
        self._is_given_up = False
        opening = asyncio.ensure_future(asyncio.to_thread(self.open))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            self.give_up()
            await to_the_end(self._close_what_opened(opening))
            raise
        return self

    async def _close_what_opened(self, opening: asyncio.Future[None]) -> None:
        await asyncio.wait([opening])
        if opening.exception() is None:  # it was open before it heard of it
            await asyncio.to_thread(self.shut)

    async def close(self) -> None:
        """See `Cluster.close`."""
        await to_the_end(asyncio.to_thread(self.shut))

    async def __aenter__(self) -> AsyncCluster:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, Exception):
                await asyncio.to_thread(self._note, error)
        finally:
            await self.close()

    @property
    def client(self) -> AsyncClient:
        """See `Cluster.client`."""
        return AsyncClient(self._running, self._verbs())

    def as_user(self, name: str, groups: Sequence[str] = ()) -> AsyncClient:
        """See `Cluster.as_user`."""
        return AsyncClient(self._running, self._verbs(name, groups))

    async def kubeconfig(self) -> Path:
        """See `Cluster.kubeconfig`."""
        return await asyncio.to_thread(self._write_kubeconfig)

    async def apply(self, source: Any, namespace: str = "", *, field_manager: str = FIELD_MANAGER) -> Objects:
        """Apply manifests (YAML, a path, objects), as `kubectl apply --server-side --force-conflicts`.

        What is stored of each then. Raises ManifestError, ApiError.
        """
        return await self.client.apply(source, namespace, field_manager=field_manager)

    async def wait(
        self,
        target: str | Mapping[str, Any],
        wanted: Wanted = "exists",
        *,
        namespace: str = "",
        timeout: Span = PATIENCE,
    ) -> Object:
        """See `Cluster.wait`."""
        verbs, world, limit_s = self._verbs(), self._at, seconds(timeout)
        return await self._running.acall(
            lambda: wait_for(world, target_of(verbs, target, namespace), wanted, limit_s)
        )

    @property
    def clock(self) -> AsyncClusterClock:
        """See `Cluster.clock`."""
        return AsyncClusterClock(self._running, self._at)

    @property
    def nodes(self) -> AsyncSimulatedNodes:
        """See `Cluster.nodes`."""
        return AsyncSimulatedNodes(self._running, self._at)

    async def advance(self, span: Span) -> datetime:
        """See `ClusterClock.advance`."""
        return await self.clock.advance(span)

    async def events(self) -> list[EventLine]:
        """See `Cluster.events`."""
        return await self._running.acall(self._read_events)

    async def snapshot(self) -> Snapshot:
        """See `Cluster.snapshot`."""
        return Snapshot(self.settings, await self._running.acall(self._take_moment))

    async def restore(self, snapshot: Snapshot) -> None:
        """See `Cluster.restore`."""
        moment, world = snapshot.checked(), self._at
        await self._running.acall(lambda: world.swap(moment))

    async def fork(self, snapshot: Snapshot | None = None) -> AsyncCluster:
        """See `Cluster.fork`."""
        snapshot = snapshot or await self.snapshot()
        forked = AsyncCluster.__new__(AsyncCluster)
        Hosted.__init__(forked, snapshot.settings, snapshot.checked())
        return await forked.start()
