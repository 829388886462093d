"""When probes are made: on their period whatever happens, and not later because a clock was set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.kubelet.builders import make_pod, running
from wherry.kit.clock import FakeClock, settle
from wherry.kubelet.probes.grpc import encode_request
from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.probes.runner import Probes
from wherry.objects.meta import Object


@dataclass
class Prober:
    """Counts tries; raises what it is told to, once each."""

    tries: int = 0
    raises: list[Exception] = field(default_factory=list)

    async def probe(
        self, probe: Object, spec: Object, container_id: str, pod_ips: Sequence[str]
    ) -> ProbeResult:
        self.tries += 1
        if self.raises:
            raise self.raises.pop()
        return ProbeResult(Outcome.SUCCESS)


@dataclass
class Recorder:
    """Keeps messages; raises what it is told to, once each."""

    messages: list[str] = field(default_factory=list)
    raises: list[Exception] = field(default_factory=list)

    def event(
        self,
        obj: Object,
        event_type: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        if self.raises:
            raise self.raises.pop()
        self.messages.append(message)


class Fixture:
    """Probes of one container."""

    def __init__(self, **config: object) -> None:
        self.clock = FakeClock()
        self.prober = Prober()
        self.recorder = Recorder()
        self.changes = 0
        self.probes = Probes(self.clock, self.prober, self.recorder, self._changed)
        self.config: Object = {"tcpSocket": {"port": 80}, "periodSeconds": 10, **config}

    def _changed(self, uid: str) -> None:
        self.changes += 1

    def follow(self, started: datetime | None = None) -> None:
        spec = {"name": "web", "readinessProbe": self.config}
        container = replace(running("web"), started=started or self.clock.now())
        self.probes.follow(
            make_pod(spec), [(spec, container)], ["10.0.0.1"], healthy_before=lambda *_: (False, False)
        )

    def is_ready(self) -> bool:
        return bool(self.probes.health("u1").ready)


async def test_a_probe_survives_whatever_its_try_raises() -> None:
    made = Fixture()
    made.prober.raises = [RuntimeError("nobody thought of this")]
    made.follow()
    await settle()
    assert not made.is_ready()
    text = "Readiness probe errored and resulted in unknown state: nobody thought of this"
    assert made.recorder.messages == [text]
    await made.clock.advance(10)
    assert made.is_ready()
    await made.clock.advance(10)
    assert made.prober.tries == 3
    await made.probes.close()


async def test_a_probe_survives_whoever_hears_of_it() -> None:
    made = Fixture()
    made.prober.raises = [RuntimeError("first")]
    made.recorder.raises = [RuntimeError("second")]
    made.follow()
    await settle()
    await made.clock.advance(20)
    assert made.is_ready()
    assert made.prober.tries == 3
    await made.probes.close()


async def test_a_clock_set_back_does_not_delay_the_first_try() -> None:
    made = Fixture(initialDelaySeconds=5)
    made.follow(started=made.clock.now() + timedelta(hours=1))
    await made.clock.advance(5)
    assert made.prober.tries == 1
    await made.probes.close()


def test_names_of_grpc_services_may_be_long() -> None:
    assert encode_request("") == b""
    assert encode_request("a") == b"\x0a\x01a"
    assert encode_request("a" * 300) == b"\x0a\xac\x02" + b"a" * 300
