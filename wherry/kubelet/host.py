"""What of the machine a kubelet touches beside its runtime, so that a test can put something else there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wherry.kit.disk import Disk
from wherry.kubelet.eviction.signals import Observe, observe
from wherry.kubelet.machine import Machine
from wherry.kubelet.oom import open_log
from wherry.kubelet.probes.runner import Prober
from wherry.kubelet.shutdown.logind import Inhibitor
from wherry.kubelet.topology.layout import Layout
from wherry.kubelet.volumes.base import Mounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Each is the real one where None. `machine` tells what the machine has, `look` what is left
    of its resources."""

    mounts: Mounts | None = None
    prober: Prober | None = None
    machine: Callable[[], Machine] | None = None
    layout: Callable[[], Layout] | None = None
    look: Observe = observe
    disk: Disk | None = None
    inhibitor: Inhibitor | None = None
    oom_log: Callable[[], int] = open_log
    """Opens the kernel's log (see `oom.open_log`)."""
