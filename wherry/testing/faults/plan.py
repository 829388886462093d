"""The faults that are armed, in front of the verbs: `FaultPlan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from wherry.apiserver.call import AnyOutcome, Call, RawOutcome, Result, WatchOutcome, settle
from wherry.kit.httpd.message import StreamResponse, Writer
from wherry.objects.errors import ApiError, service_unavailable
from wherry.testing.faults.fault import WRITES, Fault, What, refusal
from wherry.testing.faults.sinks import CutSink, PassingSink, RepeatedSink, StaleSink

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


class FaultPlan:
    """Meets calls with the faults that are armed; `crashed(user)` is called when a client is to be gone.

    `process_of(user)` gives all users that are one process: they are gone together. An
    `apiserver.dispatch.Interceptor`.
    """

    def __init__(self, crashed: Callable[[str], None], process_of: Callable[[str], Collection[str]]) -> None:
        self.seen: Counter[Seen] = Counter()
        """How often each kind of write and watch was made since the plan was, in the order of the first."""
        self._armed: list[_Armed] = []
        self._gone: set[str] = set()
        self._crashed = crashed
        self._process_of = process_of
        self._stale: list[StaleSink] = []
        self._watches: dict[int, tuple[str, PassingSink]] = {}

    def arm(self, fault: Fault) -> None:
        """From now on."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """No fault any more; what was held back is told, and who was gone may come back."""
        self._armed.clear()
        self._gone.clear()
        self.release()

    def release(self) -> None:
        """Let watches that lag catch up."""
        stale, self._stale = self._stale, []
        for sink in stale:
            sink.release()

    def revive(self, user: str) -> None:
        """A client that crashed was started anew."""
        self._gone.difference_update(self._process_of(user))

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
            return self._watched(call, go_on(), PassingSink) if call.info.verb == "watch" else go_on()
        if met.what is What.REFUSED:
            raise refusal(met.code, call)
        if met.what is What.DROPPED:
            return _dropped(call)
        if met.what in (What.UNANSWERED, What.CRASHED):
            return self._done_all_the_same(met, call, go_on)
        return self._watched(call, go_on(), lambda sink: self._sink(met, sink))

    def _meet(self, call: Call) -> Fault | None:
        found = None
        for armed in self._armed:
            if armed.fault.fits(call):
                armed.count += 1
                if found is None and armed.fault.meets(armed.count):
                    armed.met += 1
                    found = armed.fault
        return found

    async def _done_all_the_same(self, fault: Fault, call: Call, go_on: GoOn) -> AnyOutcome:
        await settle(go_on())
        if fault.what is What.CRASHED:
            user = call.user.name
            gone = self._process_of(user)
            self._gone.update(gone)
            for owner, sink in list(self._watches.values()):
                if owner in gone:
                    sink.end()
            self._crashed(user)
            raise service_unavailable(f"{user} has crashed")
        raise refusal(504, call)

    def _watched(self, call: Call, result: Result, around: Callable[[Any], PassingSink]) -> Result:
        """A watch whose client's sink is put into another."""
        if not isinstance(result, WatchOutcome):
            return self._watched_later(call, result, around)
        outcome = result

        async def run(sink: Any) -> None:
            wrapped = around(sink)
            self._watches[id(wrapped)] = (call.user.name, wrapped)
            try:
                await outcome.run(wrapped)
            finally:
                self._watches.pop(id(wrapped), None)

        return WatchOutcome(run, outcome.served)

    async def _watched_later(
        self, call: Call, result: Result, around: Callable[[Any], PassingSink]
    ) -> AnyOutcome:
        settled = await settle(result)
        if isinstance(settled, WatchOutcome):
            again = self._watched(call, settled, around)
            assert isinstance(again, WatchOutcome)
            return again
        return settled

    def _sink(self, fault: Fault, sink: Any) -> PassingSink:
        if fault.what is What.STALE:
            stale = StaleSink(sink, fault.events)
            self._stale.append(stale)
            return stale
        return CutSink(sink, fault.events) if fault.what is What.CUT else RepeatedSink(sink)


def _dropped(call: Call) -> Result:
    """The connection is closed: over HTTP in the middle of an answer, in process as unreachable."""
    if call.request is None:
        raise ApiError(503, "ServiceUnavailable", "the connection was closed")

    async def run(writer: Writer) -> None:
        writer.abort()

    return RawOutcome(StreamResponse(run))
