"""Ending pods before the machine goes down, the least important first.

Source: KEP-2000 and KEP-2712; pkg/kubelet/nodeshutdown/nodeshutdown_manager_linux.go, with its texts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from wherry.client.events import Recorder
from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kit.disk import Disk
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.config import KubeletConfig, Period
from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.shutdown.logind import Inhibitor
from wherry.kubelet.shutdown.periods import group_pods
from wherry.kubelet.shutdown.record import ShutdownRecord, read_record, write_record
from wherry.objects.meta import Object, format_time, key_of

log = logging.getLogger(__name__)

REASON = "Terminated"
MESSAGE = "Pod was terminated in response to imminent node shutdown."
NOT_ADMITTED = ("NodeShutdown", "Pod was rejected as the node is shutting down.")
NOT_READY = "node is shutting down"
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 300.0
RECORD_TIMEOUT_S = 10.0
PREPARE_S = 30.0
"""How long a bus that hangs is waited for."""
KNOWN_S = 5.0
"""How long an agent that has just begun waits for the API server to say what runs here."""


class GracefulShutdown:
    """Holds up a shutdown of the machine until the pods have ended.

    `pods()` are those that have not ended, `end(pod, verdict)` begins their end and `ended(pod)` waits for
    it. `on_change()` is called when the node begins or ceases to go down.
    """

    def __init__(
        self,
        config: KubeletConfig,
        inhibitor: Inhibitor,
        pods: Callable[[], Sequence[Object]],
        end: Callable[[Object, Verdict], object],
        ended: Callable[[Object], Awaitable[None]],
        *,
        boot_id: str,
        node: Object,
        recorder: Recorder,
        clock: Clock,
        disk: Disk,
        on_change: Callable[[], None],
    ) -> None:
        self._config = config
        self._inhibitor = inhibitor
        self._pods = pods
        self._end = end
        self._ended = ended
        self._boot_id = boot_id
        self._node = node
        self._recorder = recorder
        self._clock = clock
        self._disk = disk
        self._on_change = on_change
        self._is_going_down = False
        self._are_known = asyncio.Event()
        self._reported = ""
        self._tasks = Tasks("graceful shutdown")
        self._watching = Repeater(
            "holding up shutdowns of the machine",
            self._watch,
            self._tasks,
            clock,
            first_s=FIRST_RETRY_S,
            longest_s=LONGEST_RETRY_S,
            expected=(OSError,),
        )

    @property
    def periods(self) -> Sequence[Period]:
        """Who has how long."""
        return self._config.shutdown_periods

    async def start(self) -> None:
        """Begin to wait for shutdowns; what an agent before this one was at goes on. Raises OSError."""
        if not sum(period.seconds for period in self.periods):
            return
        read = partial(read_record, self._config.root_dir)
        record = await self._disk.run("shutdown record", read, RECORD_TIMEOUT_S)
        self._is_going_down = record.is_under_way(self._boot_id)
        self._watching.poke()

    def all_known(self) -> None:
        """Every source of pods was read once."""
        self._are_known.set()

    def error(self) -> str:
        """Why the node is not Ready, "" when it is not going down."""
        return NOT_READY if self._is_going_down else ""

    def objection(self) -> tuple[str, str] | None:
        """(reason, message) why no pod is taken any more."""
        return NOT_ADMITTED if self._is_going_down else None

    async def close(self) -> None:
        """Wait no more: a shutdown is held up no longer."""
        await self._watching.close()
        await self._tasks.close()
        await self._inhibitor.close()

    async def _watch(self) -> None:
        """Hold shutdowns up, and see each through, until the connection ends. Raises OSError.

        What keeps failing in the same way is reported once.
        """
        try:
            await self._follow()
        except OSError as error:
            if str(error) == self._reported:
                error.is_told = True  # type: ignore[attr-defined]
            self._reported = str(error)
            raise

    async def _follow(self) -> None:
        is_preparing = await within(PREPARE_S, self._prepare(), self._clock)
        self._reported = ""
        if is_preparing:
            await self._go_down()
        elif self._is_going_down:
            await self._call_off()
        while True:
            if await self._inhibitor.change():
                await self._go_down()
            else:
                await self._call_off()
                await self._inhibitor.hold()

    async def _prepare(self) -> bool:
        """Hold shutdowns up from now on; whether the machine goes down already. Raises OSError."""
        await self._inhibitor.connect()
        await self._make_room()
        await self._inhibitor.hold()
        return await self._inhibitor.is_preparing()

    async def _make_room(self) -> None:
        """Have a shutdown wait for as long as the pods may take. Raises OSError."""
        wanted_s = float(sum(period.seconds for period in self.periods))
        if await self._inhibitor.delay_s() >= wanted_s:
            return
        await self._inhibitor.set_delay(wanted_s)
        now_s = await self._inhibitor.delay_s()
        if now_s < wanted_s:
            raise ConnectionError(
                f"node shutdown manager was unable to update logind InhibitDelayMaxSec to {wanted_s:g}s "
                f"(ShutdownGracePeriod), current value of InhibitDelayMaxSec ({now_s:g}s) is less than "
                "requested ShutdownGracePeriod"
            )

    async def _go_down(self) -> None:
        """End the pods, then let the machine go down."""
        log.warning("the machine is shutting down: pods end")
        self._say("Shutdown manager detected shutdown event")
        self._is_going_down = True
        self._on_change()
        began = self._now()
        await self._record(ShutdownRecord(began, "", self._boot_id))
        try:
            await self._end_pods()
        finally:
            self._inhibitor.release()
        log.info("all pods had their time, the machine may go down")

    async def _call_off(self) -> None:
        log.info("the machine's shutdown was called off")
        self._say("Shutdown manager detected shutdown cancellation")
        self._is_going_down = False
        self._on_change()
        await self._record(ShutdownRecord(self._now(), self._now(), self._boot_id))

    async def _end_pods(self) -> None:
        try:
            await within(KNOWN_S, self._are_known.wait(), self._clock)
        except TimeoutError:
            log.warning("not all pods are known: those that are end")
        for period, pods in group_pods(self._pods(), self.periods):
            if not pods:
                continue  # upstream does not wait for a priority nobody has, either
            verdict = Verdict(
                reason=REASON, message=MESSAGE, grace_s=period.seconds, is_disruption=True, is_told=False
            )
            for pod in pods:
                log.info("pod %s ends within %d s", key_of(pod), period.seconds)
                self._end(pod, verdict)
            try:
                await within(period.seconds, self._all_ended(pods), self._clock)
            except TimeoutError:
                log.warning("pods of priority %d and above have not ended in time", period.priority)

    async def _all_ended(self, pods: Sequence[Object]) -> None:
        await asyncio.gather(*(self._ended(pod) for pod in pods))

    async def _record(self, record: ShutdownRecord) -> None:
        """Remember it; that it cannot be is no reason to hold anything up."""
        write = partial(write_record, self._config.root_dir, record)
        try:
            await self._disk.run("shutdown record", write, RECORD_TIMEOUT_S)
        except OSError as error:
            log.warning("the shutdown is not remembered: %s", error)

    def _say(self, message: str) -> None:
        self._recorder.event(self._node, "Normal", "NodeShutdown", message)

    def _now(self) -> str:
        return format_time(self._clock.now())
