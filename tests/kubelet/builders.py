"""Short ways to write pods and what the runtime says about them, for tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wherry.kubelet.observation import Observation
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.sandboxes import Sandbox
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def make_pod(*containers: Object, **spec: Any) -> Object:
    return {
        "metadata": {"name": "p", "namespace": "ns", "uid": "u1", "generation": 1},
        "spec": {"containers": list(containers) or [{"name": "web", "image": "i:1"}], **spec},
        "status": {},
    }


def sandbox(attempt: int = 0, *, ready: bool = True, ip: str = "10.0.0.1") -> Sandbox:
    created = NOW + timedelta(seconds=attempt)
    return Sandbox(f"s{attempt}", "p", "ns", "u1", attempt, ready, created, (ip,) if ip else ())


def running(name: str, attempt: int = 0, **more: Any) -> Container:
    return _container(name, attempt, Phase.RUNNING, started=NOW, **more)


def ended(name: str, code: int, attempt: int = 0, **more: Any) -> Container:
    return _container(name, attempt, Phase.EXITED, started=NOW, finished=NOW, exit_code=code, **more)


def _container(name: str, attempt: int, phase: Phase, **more: Any) -> Container:
    values: dict[str, Any] = {
        "id": f"{name}-{attempt}",
        "sandbox_id": "s0",
        "name": name,
        "attempt": attempt,
        "image": "docker.io/library/i:1",
        "image_id": "sha256:1",
        "phase": phase,
        "created": NOW + timedelta(seconds=attempt),
        **more,
    }
    return Container(**values)


def seen(*containers: Container, boxes: tuple[Sandbox, ...] | None = None) -> Observation:
    return Observation((sandbox(),) if boxes is None else boxes, list(containers))
