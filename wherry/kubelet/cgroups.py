"""Cgroups: where a pod's containers go, what they may use, and the pod's own limits.

The figures (shares, quota, OOM score) are pure and upstream's. `PodCgroups` makes the pod's cgroup with
its limits before the sandbox is started and removes it when the pod is gone; containers' cgroups below
are the runtime's. Both cgroup versions are served; on a machine whose cgroups cannot be written, pods
still run, with the runtime's per-container limits alone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from wherry.kit.cgroups import cgroup_directories, remove_cgroup
from wherry.kit.path_names import one_name
from wherry.kubelet.pod import init_containers, is_sidecar, regular_containers, spec_of, status_of
from wherry.kubelet.runtimes.containers import Resources
from wherry.kubelet.topology.layout import huge_page_limit_name, huge_page_name
from wherry.objects.quantity import milli, whole

log = logging.getLogger(__name__)

PERIOD_US = 100_000
MIN_QUOTA_US = 1000
MIN_SHARES = 2
MAX_SHARES = 262_144
UNLIMITED_BYTES = 1 << 62
"""cgroup v1 shows about so much where memory is not limited."""
V1_CONTROLLERS = ("cpu", "memory", "pids")


def qos_class(pod: Mapping[str, Any]) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`: as the status says, else worked out from the spec."""
    known: str = status_of(pod).get("qosClass") or ""
    if known:
        return known
    requests: dict[str, set[int]] = {}
    guaranteed = True
    anything = False
    for container in [*regular_containers(pod), *init_containers(pod)]:
        resources = container.get("resources") or {}
        limits, asked = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            limit, request = limits.get(name), asked.get(name, limits.get(name))
            for quantity in (limit, request):
                if quantity is not None and milli(quantity) > 0:
                    anything = True
                    requests.setdefault(name, set()).add(milli(quantity))
            if limit is None or request is None or milli(limit) != milli(request):
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def pod_cgroup(root: str, pod: Mapping[str, Any]) -> str:
    """The pod's cgroup path: below its QoS class, but for the guaranteed directly below `root`.

    Raises BadPathName.
    """
    name = one_name(f"pod{pod['metadata']['uid']}")
    qos = qos_class(pod)
    return f"{root}/{name}" if qos == "Guaranteed" else f"{root}/{qos.lower()}/{name}"


def cpu_shares(cpu_millis: int) -> int:
    """CFS shares for that many thousandths of a processor."""
    if cpu_millis <= 0:
        return MIN_SHARES
    return min(max(cpu_millis * 1024 // 1000, MIN_SHARES), MAX_SHARES)


def cpu_quota_us(cpu_millis: int) -> int:
    """CFS quota per period in microseconds, 0 for no limit."""
    return max(cpu_millis * PERIOD_US // 1000, MIN_QUOTA_US) if cpu_millis > 0 else 0


def oom_score_adj(pod: Mapping[str, Any], container: Mapping[str, Any], memory_capacity: int) -> int:
    """How readily the kernel kills the container when memory runs out: the less it asked for, the sooner."""
    if spec_of(pod).get("priorityClassName") in ("system-node-critical", "system-cluster-critical"):
        return -997
    qos = qos_class(pod)
    if qos == "Guaranteed":
        return -997
    if qos == "BestEffort":
        return 1000
    request = _amount(container, "requests", "memory")
    score = 1000 - (1000 * request) // max(memory_capacity, 1)
    return max(3, min(score, 999))


def container_resources(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    memory_capacity: int,
    least_oom_score: int = -1000,
    huge_pages: Collection[int] = (),
) -> Resources:
    """The container's limits for the runtime; where the kernel does not let the agent lower OOM

    scores, `least_oom_score` is what it may set. `huge_pages` are the sizes, in bytes, of the machine's: who
    asks for none of them gets none.
    """
    cpu_limit = _amount(container, "limits", "cpu")
    cpu_request = _amount(container, "requests", "cpu") or cpu_limit
    return Resources(
        cpu_shares=cpu_shares(cpu_request),
        cpu_quota_us=cpu_quota_us(cpu_limit),
        cpu_period_us=PERIOD_US,
        memory_limit_bytes=_amount(container, "limits", "memory"),
        oom_score_adj=max(oom_score_adj(pod, container, memory_capacity), least_oom_score),
        huge_pages={
            huge_page_limit_name(size): _amount(container, "limits", huge_page_name(size))
            for size in huge_pages
        },
    )


def pod_resources(pod: Mapping[str, Any]) -> Resources:
    """The limits of the pod as a whole: a limit holds only if every container has one."""
    return Resources(
        cpu_shares=cpu_shares(_pod_amount(pod, "requests", "cpu", all_of=False)),
        cpu_quota_us=cpu_quota_us(_pod_amount(pod, "limits", "cpu", all_of=True)),
        cpu_period_us=PERIOD_US,
        memory_limit_bytes=_pod_amount(pod, "limits", "memory", all_of=True),
    )


def pod_request(pod: Mapping[str, Any], name: str) -> int:
    """What the pod asks for altogether: `cpu` in thousandths, `memory` in bytes."""
    return _pod_amount(pod, "requests", name, all_of=False)


def _amount(container: Mapping[str, Any], kind: str, name: str) -> int:
    resources = container.get("resources") or {}
    quantity = (resources.get(kind) or {}).get(name)
    if quantity is None and kind == "requests":
        quantity = (resources.get("limits") or {}).get(name)
    if quantity is None:
        return 0
    return milli(quantity) if name == "cpu" else whole(quantity)


def _pod_amount(pod: Mapping[str, Any], kind: str, name: str, *, all_of: bool) -> int:
    amount = _own_amount(pod, kind, name, all_of=all_of)
    overhead = (spec_of(pod).get("overhead") or {}).get(name)
    if overhead is None or (all_of and not amount):
        return amount
    return amount + (milli(overhead) if name == "cpu" else whole(overhead))


def _own_amount(pod: Mapping[str, Any], kind: str, name: str, *, all_of: bool) -> int:
    own = (spec_of(pod).get("resources") or {}).get(kind) or {}
    if name in own:
        return milli(own[name]) if name == "cpu" else whole(own[name])
    sidecars = [c for c in init_containers(pod) if is_sidecar(c)]
    amounts = [_amount(c, kind, name) for c in [*regular_containers(pod), *sidecars]]
    if all_of and not all(amounts):
        return 0
    inits = [_amount(c, kind, name) for c in init_containers(pod) if not is_sidecar(c)]
    return max([sum(amounts), *inits])


class PodCgroups:
    """Makes and removes pods' cgroups below `root` on the hierarchy mounted at `mount`."""

    def __init__(self, mount: Path, root: str, pids_limit: int = -1) -> None:
        self._mount = mount
        self._root = root
        self._parents = (root, f"{root}/burstable", f"{root}/besteffort")
        self._pids_limit = pids_limit
        self._unified = (mount / "cgroup.controllers").exists()

    def path(self, pod: Mapping[str, Any]) -> str:
        """Where the pod's cgroup is."""
        return pod_cgroup(self._root, pod)

    def create(self, pod: Mapping[str, Any], limits: Resources | None = None) -> str:
        """Make the pod's cgroup with its limits (those of `pod_resources` unless given); its path."""
        limits = pod_resources(pod) if limits is None else limits
        path = pod_cgroup(self._root, pod)
        try:
            if self._unified:
                self._create_v2(path, limits)
            else:
                self._create_v1(path, limits)
        except OSError as error:
            log.warning("cgroup %s: limits of the pod as a whole are not set: %s", path, error)
        return path

    def limits(self, pod: Mapping[str, Any]) -> Resources | None:
        """What the pod's cgroup allows now, None where that cannot be read."""
        path = pod_cgroup(self._root, pod)
        try:
            return self._read_v2(path) if self._unified else self._read_v1(path)
        except (OSError, ValueError) as error:
            log.info("cgroup %s: its limits are not read: %s", path, error)
            return None

    def resize(self, pod: Mapping[str, Any], limits: Resources) -> None:
        """Give the pod's cgroup, which is there, the figures of `limits` that are not 0. Raises OSError."""
        path = pod_cgroup(self._root, pod)
        if self._unified:
            self._limit_v2(self._mount / path.strip("/"), limits)
            return
        for controller in ("cpu", "memory"):
            self._limit_v1(controller, self._mount / controller / path.strip("/"), limits)

    def memory_usage(self, pod: Mapping[str, Any]) -> int | None:
        """Bytes of memory the pod uses, None where that cannot be read."""
        path = pod_cgroup(self._root, pod).strip("/")
        if self._unified:
            file = self._mount / path / "memory.current"
        else:
            file = self._mount / "memory" / path / "memory.usage_in_bytes"
        try:
            return int(file.read_text())
        except (OSError, ValueError) as error:
            log.info("%s: not read: %s", file, error)
            return None

    def remove(self, uid: str) -> None:
        """Remove what is left of a pod's cgroups; harmless when there is nothing. Raises BadPathName."""
        for parent in self._parents:
            path = f"{parent}/{one_name(f'pod{uid}')}"
            if not remove_cgroup(path, self._mount):
                log.info("cgroup %s stays for now: it is in use", path)

    def uids(self) -> set[str]:
        """The pods that have a cgroup."""
        found: set[str] = set()
        for parent in self._parents:
            for directory in cgroup_directories(parent, self._mount):
                try:
                    names = [entry.name for entry in directory.iterdir()]
                except FileNotFoundError:
                    continue
                found.update(name.removeprefix("pod") for name in names if name.startswith("pod"))
        return found

    def _create_v1(self, path: str, limits: Resources) -> None:
        for controller in V1_CONTROLLERS:
            base = self._mount / controller
            if not base.is_dir():
                continue
            directory = base / path.strip("/")
            directory.mkdir(parents=True, exist_ok=True)
            self._limit_v1(controller, directory, limits)
            if controller == "pids" and self._pids_limit > 0:
                _write(directory / "pids.max", self._pids_limit)

    def _limit_v1(self, controller: str, directory: Path, limits: Resources) -> None:
        if controller == "cpu":
            if limits.cpu_shares:
                _write(directory / "cpu.shares", limits.cpu_shares)
            if limits.cpu_quota_us:
                _write(directory / "cpu.cfs_period_us", limits.cpu_period_us)
                _write(directory / "cpu.cfs_quota_us", limits.cpu_quota_us)
        elif controller == "memory" and limits.memory_limit_bytes:
            _write(directory / "memory.limit_in_bytes", limits.memory_limit_bytes)

    def _read_v1(self, path: str) -> Resources:
        cpu, memory = (self._mount / controller / path.strip("/") for controller in ("cpu", "memory"))
        limit = int((memory / "memory.limit_in_bytes").read_text())
        return Resources(
            cpu_shares=int((cpu / "cpu.shares").read_text()),
            cpu_quota_us=max(int((cpu / "cpu.cfs_quota_us").read_text()), 0),
            cpu_period_us=int((cpu / "cpu.cfs_period_us").read_text()),
            memory_limit_bytes=limit if limit < UNLIMITED_BYTES else 0,
        )

    def _read_v2(self, path: str) -> Resources:
        directory = self._mount / path.strip("/")
        quota, period = (directory / "cpu.max").read_text().split()
        memory = (directory / "memory.max").read_text().strip()
        weight = int((directory / "cpu.weight").read_text())
        return Resources(
            cpu_shares=2 + ((weight - 1) * 262_142) // 9999,
            cpu_quota_us=0 if quota == "max" else int(quota),
            cpu_period_us=int(period),
            memory_limit_bytes=0 if memory == "max" else int(memory),
        )

    def _create_v2(self, path: str, limits: Resources) -> None:
        directory = self._mount
        for part in path.strip("/").split("/"):
            available = (directory / "cgroup.controllers").read_text().split()
            wanted = " ".join(f"+{c}" for c in ("cpu", "memory", "pids", "cpuset", "io") if c in available)
            _write(directory / "cgroup.subtree_control", wanted)
            directory = directory / part
            directory.mkdir(exist_ok=True)
        self._limit_v2(directory, limits)
        if self._pids_limit > 0:
            _write(directory / "pids.max", self._pids_limit)

    def _limit_v2(self, directory: Path, limits: Resources) -> None:
        if limits.cpu_shares:
            _write(directory / "cpu.weight", 1 + ((max(limits.cpu_shares, 2) - 2) * 9999) // 262_142)
        if limits.cpu_quota_us:
            _write(directory / "cpu.max", f"{limits.cpu_quota_us} {limits.cpu_period_us}")
        if limits.memory_limit_bytes:
            _write(directory / "memory.max", limits.memory_limit_bytes)


def _write(path: Path, value: int | str) -> None:
    path.write_text(str(value))
