"""The faults that are armed, in front of the verbs: `FaultPlan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from wherry.apiserver.call import AnyOutcome, Call, RawOutcome, Result, settle
from wherry.kit.httpd.message import StreamResponse, Writer
from wherry.objects.errors import ApiError, service_unavailable
from wherry.testing.faults.fault import OF_WATCHES, WRITES, Fault, What, refusal
from wherry.testing.faults.sinks import OpenWatches

GoOn = Callable[[], Result]


class Seen(NamedTuple):
    """A call that was made, as far as faults ask."""

    user: str
    verb: str
    resource: str


@dataclass(slots=True)
class _Armed:
    fault: Fault
    count: int = 0
    met: int = 0

    def meets(self, call: Call) -> bool:
        """Whether it meets a call, which is counted if it is one that fits."""
        if not self.fault.fits(call):
            return False
        self.count += 1
        return self.fault.meets(self.count)


class Surroundings:
    """What happens beside the answer to a call that is met. Here nothing: for servers that stand alone."""

    def process_of(self, user: str) -> Collection[str]:
        """All users that are one process with that one: they are gone together."""
        return {user}

    def crashed(self, user: str) -> None:
        """A client is gone: whoever can is to start it anew."""

    def restart(self) -> None:
        """The API server is to start anew, with no history left."""

    def lose_node(self, call: Call, lasts_s: float) -> None:
        """The node of the pod that the call was about is to stop, for so many seconds (0: until told)."""

    def recover_nodes(self) -> None:
        """The nodes that were lost are to go on."""


class FaultPlan:
    """Meets calls with the faults that are armed. An `apiserver.core.Interceptor`.

    `watches` are those that run, `around` carries out what is more than an answer.
    """

    def __init__(self, watches: OpenWatches, around: Surroundings) -> None:
        self.seen: Counter[Seen] = Counter()
        """How often each kind of write and watch was made since the plan was, in the order of the first."""
        self._armed: list[_Armed] = []
        self._gone: set[str] = set()
        self._around = around
        self.seeds: list[int] = []
        """Of the plans that were drawn: for whoever wants to see the same again."""
        self._watches = watches
        watches.meet = self._meet_watch

    def arm(self, fault: Fault) -> None:
        """From now on; watches that run already are met as well."""
        armed = _Armed(fault)
        self._armed.append(armed)
        if fault.what not in OF_WATCHES:
            return
        for watch in self._watches:
            if armed.meets(watch.call) and watch.fault is None:
                armed.met += 1
                watch.take(fault)

    def clear(self) -> None:
        """No fault any more; what was held back is told, and who was gone or lost may come back."""
        self._armed.clear()
        self.seeds.clear()
        self._gone.clear()
        for watch in self._watches:
            watch.release()
        self._around.recover_nodes()

    def release(self) -> None:
        """Let watches that lag catch up."""
        for watch in self._watches:
            if watch.fault is not None and watch.fault.what is What.STALE:
                watch.release()

    def revive(self, user: str) -> None:
        """A client that crashed was started anew."""
        self._gone.difference_update(self._around.process_of(user))

    @property
    def met(self) -> list[tuple[Fault, int]]:
        """Each armed fault with how many calls it met: a plan that met nothing tested nothing."""
        return [(armed.fault, armed.met) for armed in self._armed]

    def __call__(self, call: Call, go_on: GoOn) -> Result:
        """Answer a call, by `go_on` unless a fault says otherwise. Raises ApiError."""
        user = call.user.name
        if user in self._gone:
            raise service_unavailable(f"{user} has crashed")
        if call.info.verb in WRITES or call.info.verb == "watch":
            self.seen[Seen(user, call.info.verb, call.info.full_resource)] += 1
        met = self._meet(call)
        if met is None:
            return go_on()
        if met.what is What.REFUSED:
            raise refusal(met.code, call)
        if met.what is What.DROPPED:
            return _dropped(call)
        return self._done_all_the_same(met, call, go_on)

    def _meet(self, call: Call) -> Fault | None:
        """What the call meets."""
        return self._first_of(call, [armed for armed in self._armed if armed.fault.what not in OF_WATCHES])

    def _meet_watch(self, call: Call) -> Fault | None:
        """What a watch that begins has to live with."""
        return self._first_of(call, [armed for armed in self._armed if armed.fault.what in OF_WATCHES])

    def _first_of(self, call: Call, among: Iterable[_Armed]) -> Fault | None:
        found: _Armed | None = None
        for armed in among:
            if armed.meets(call) and found is None:
                found = armed
        if found is None:
            return None
        found.met += 1
        return found.fault

    async def _done_all_the_same(self, fault: Fault, call: Call, go_on: GoOn) -> AnyOutcome:
        answer = await settle(go_on())
        user = call.user.name
        if fault.what is What.NODE_LOST:
            self._around.lose_node(call, fault.lasts_s)
            return answer
        if fault.what is What.RESTARTED:
            self._around.restart()
            raise service_unavailable("the API server has ended")
        if fault.what is What.CRASHED:
            self._end(user)
            raise service_unavailable(f"{user} has crashed")
        raise refusal(504, call)

    def _end(self, user: str) -> None:
        gone = self._around.process_of(user)
        self._gone.update(gone)
        for watch in self._watches:
            if watch.call.user.name in gone:
                watch.end()
        self._around.crashed(user)


def _dropped(call: Call) -> Result:
    """The connection is closed: over HTTP in the middle of an answer, in process as unreachable."""
    if call.request is None:
        raise ApiError(503, "ServiceUnavailable", "the connection was closed")

    async def run(writer: Writer) -> None:
        writer.abort()

    return RawOutcome(StreamResponse(run))
