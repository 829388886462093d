"""The real containerd of the runtime's tests, for this folder's too."""

from __future__ import annotations

from tests.kubelet.runtimes.containerd.conftest import busybox, machine

__all__ = ["busybox", "machine"]
