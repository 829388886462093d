"""`/metrics/cadvisor`: the page of cAdvisor inside upstream's kubelet, under its names, labels and texts.

Source: google/cadvisor metrics/prometheus.go, docs/storage/prometheus.md; the kubelet's labels
(pkg/kubelet/server/server.go, containerPrometheusLabelsFunc). A cgroup's series end with it, so there are at
most as many as the node may have pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wherry.kit.metrics import Family, Metric, Sample
from wherry.kubelet.machine import Machine
from wherry.kubelet.server import sample as sampling
from wherry.kubelet.server.cgroup_usage import CgroupUse
from wherry.kubelet.server.network_usage import InterfaceUse, is_real

LABELS = ("container", "id", "image", "name", "namespace", "pod")
Figure = tuple[Sequence[str], float]
"""Values of the labels that come beside the usual ones, and the figure."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A cgroup the page tells of, with its labels (in the order of `LABELS`)."""

    labels: Sequence[str]
    use: CgroupUse
    seen_s: int
    started_s: float = 0.0
    interfaces: Sequence[InterfaceUse] = ()


def subjects_of(sample: sampling.Sample) -> list[Subject]:
    """All cgroups of a sample: the machine's, those pods lie in, pods', sandboxes', containers'."""
    found = []
    at = int(sample.time.timestamp())
    for path, use in sample.above.items():
        interfaces = [one for one in sample.node_interfaces if is_real(one.name)] if path == "/" else ()
        found.append(Subject(("", path, "", "", "", ""), use, at, interfaces=interfaces))
    for pod in sample.pods:
        box = pod.sandbox
        whose = (box.namespace, box.name)
        began = box.created.timestamp()
        if pod.use is not None:
            found.append(Subject(("", pod.cgroup, "", "", *whose), pod.use, at, began))
        if pod.sandbox_use is not None:
            labels = ("", f"{pod.cgroup}/{box.id}", "", box.id, *whose)
            found.append(Subject(labels, pod.sandbox_use, at, began, pod.interfaces))
        for one in pod.containers:
            if one.use is not None:
                container = one.container
                started = (container.started or container.created).timestamp()
                labels = (container.name, one.cgroup, container.image, container.id, *whose)
                found.append(Subject(labels, one.use, at, started))
    return found


def cadvisor_page(sample: sampling.Sample, machine: Machine, devices: Mapping[str, str]) -> list[Metric]:
    """All families. `devices` are names of block devices by "MAJOR:MINOR"."""
    subjects = subjects_of(sample)
    at_ms = round(sample.time.timestamp() * 1000)
    found: list[Metric] = [
        Family(
            f"container_{name}",
            kind,
            text,
            (*LABELS, *extra),
            _samples(subjects, figures, at_ms),
        )
        for name, kind, text, extra, figures in (*_FAMILIES, *_io_families(devices))
    ]
    found.append(_gauge("machine_cpu_cores", "Number of logical CPU cores.", machine, machine.cpus))
    found.append(
        _gauge(
            "machine_memory_bytes",
            "Amount of memory installed on the machine.",
            machine,
            machine.memory_bytes,
        )
    )
    versions = (machine.kernel, machine.os_image, "", "")
    labels = ("kernelVersion", "osVersion", "cadvisorRevision", "cadvisorVersion")
    text = (
        "A metric with a constant '1' value labeled by kernel version, OS version, docker version, cadvisor "
        "version & cadvisor revision."
    )
    found.append(Family("cadvisor_version_info", "gauge", text, labels, [Sample(versions, 1)]))
    text = "1 if there was an error while getting container metrics, 0 otherwise"
    found.append(Family("container_scrape_error", "gauge", text, (), [Sample((), 0)]))
    return found


def _samples(
    subjects: Iterable[Subject], figures: Callable[[Subject], Iterable[Figure]], at_ms: int
) -> Iterator[Sample]:
    for subject in subjects:
        for values, figure in figures(subject):
            yield Sample((*subject.labels, *values), figure, at_ms)


def _gauge(name: str, text: str, machine: Machine, value: float) -> Family:
    labels = ("boot_id", "machine_id", "system_uuid")
    identity = (machine.boot_id, machine.machine_id, machine.system_uuid)
    return Family(name, "gauge", text, labels, [Sample(identity, value)])


def _memory(field: str) -> Callable[[Subject], Iterable[Figure]]:
    def figures(subject: Subject) -> Iterator[Figure]:
        value = getattr(subject.use.memory, field, None)
        if value is not None:
            yield (), value

    return figures


def _cpu(field: str, *, seconds: bool = True) -> Callable[[Subject], Iterable[Figure]]:
    def figures(subject: Subject) -> Iterator[Figure]:
        cpu = subject.use.cpu
        if cpu is not None:
            yield (), getattr(cpu, field) / 1e9 if seconds else getattr(cpu, field)

    return figures


def _usage(subject: Subject) -> Iterator[Figure]:
    if subject.use.cpu is not None:
        yield ("total",), subject.use.cpu.total_ns / 1e9


def _throttling(field: str, scale: float = 1) -> Callable[[Subject], Iterable[Figure]]:
    def figures(subject: Subject) -> Iterator[Figure]:
        cpu = subject.use.cpu
        if cpu is not None and cpu.periods:
            yield (), getattr(cpu, field) / scale

    return figures


def _failures(subject: Subject) -> Iterator[Figure]:
    memory = subject.use.memory
    if memory is not None:
        yield ("pgfault", "hierarchy"), memory.faults
        yield ("pgmajfault", "hierarchy"), memory.major_faults


def _network(field: str) -> Callable[[Subject], Iterable[Figure]]:
    def figures(subject: Subject) -> Iterator[Figure]:
        for one in subject.interfaces:
            yield (one.name,), getattr(one, field)

    return figures


def _own(field: str) -> Callable[[Subject], Iterable[Figure]]:
    def figures(subject: Subject) -> Iterator[Figure]:
        value = getattr(subject.use, field)
        if value is not None:
            yield (), value

    return figures


def _quota(field: str) -> Callable[[Subject], Iterable[Figure]]:
    def figures(subject: Subject) -> Iterator[Figure]:
        if subject.use.quota_us:
            yield (), getattr(subject.use, field)

    return figures


def _started(subject: Subject) -> Iterator[Figure]:
    if subject.started_s:
        yield (), subject.started_s


def _seen(subject: Subject) -> Iterator[Figure]:
    yield (), subject.seen_s


def _pressure(resource: str, field: str) -> Callable[[Subject], Iterable[Figure]]:
    def figures(subject: Subject) -> Iterator[Figure]:
        found = subject.use.pressure.get(resource)
        if found is not None:
            yield (), getattr(found, field) / 1e6

    return figures


_NETWORK = tuple(
    (f"network_{way}_{what}", "counter", text, ("interface",), _network(field))
    for way, what, text, field in (
        ("receive", "bytes_total", "Cumulative count of bytes received", "received_bytes"),
        (
            "receive",
            "errors_total",
            "Cumulative count of errors encountered while receiving",
            "receive_errors",
        ),
        (
            "receive",
            "packets_dropped_total",
            "Cumulative count of packets dropped while receiving",
            "receive_dropped",
        ),
        ("receive", "packets_total", "Cumulative count of packets received", "received_packets"),
        ("transmit", "bytes_total", "Cumulative count of bytes transmitted", "sent_bytes"),
        (
            "transmit",
            "errors_total",
            "Cumulative count of errors encountered while transmitting",
            "send_errors",
        ),
        (
            "transmit",
            "packets_dropped_total",
            "Cumulative count of packets dropped while transmitting",
            "send_dropped",
        ),
        ("transmit", "packets_total", "Cumulative count of packets transmitted", "sent_packets"),
    )
)
_PRESSURE = tuple(
    (
        f"pressure_{resource}_{what}_seconds_total",
        "counter",
        text.format(resource),
        (),
        _pressure(resource, field),
    )
    for resource in ("cpu", "memory", "io")
    for what, field, text in (
        (
            "waiting",
            "some_us",
            "Total time duration tasks in the container have waited due to {} congestion.",
        ),
        (
            "stalled",
            "full_us",
            "Total time duration no tasks in the container could make progress due to {} congestion.",
        ),
    )
)
_FAMILIES = (
    ("cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", ("cpu",), _usage),
    (
        "cpu_user_seconds_total",
        "counter",
        "Cumulative user cpu time consumed in seconds.",
        (),
        _cpu("user_ns"),
    ),
    (
        "cpu_system_seconds_total",
        "counter",
        "Cumulative system cpu time consumed in seconds.",
        (),
        _cpu("system_ns"),
    ),
    (
        "cpu_cfs_periods_total",
        "counter",
        "Number of elapsed enforcement period intervals.",
        (),
        _throttling("periods"),
    ),
    (
        "cpu_cfs_throttled_periods_total",
        "counter",
        "Number of throttled period intervals.",
        (),
        _throttling("throttled"),
    ),
    (
        "cpu_cfs_throttled_seconds_total",
        "counter",
        "Total time duration the container has been throttled.",
        (),
        _throttling("throttled_ns", 1e9),
    ),
    ("last_seen", "gauge", "Last time a container was seen by the exporter", (), _seen),
    ("memory_cache", "gauge", "Number of bytes of page cache memory.", (), _memory("cache")),
    ("memory_failcnt", "counter", "Number of memory usage hits limits", (), _memory("limit_hits")),
    (
        "memory_failures_total",
        "counter",
        "Cumulative count of memory allocation failures.",
        ("failure_type", "scope"),
        _failures,
    ),
    ("memory_kernel_usage", "gauge", "Size of kernel memory allocated in bytes.", (), _memory("kernel")),
    ("memory_mapped_file", "gauge", "Size of memory mapped files in bytes.", (), _memory("mapped_file")),
    ("memory_max_usage_bytes", "gauge", "Maximum memory usage recorded in bytes", (), _memory("most")),
    ("memory_rss", "gauge", "Size of RSS in bytes.", (), _memory("rss")),
    ("memory_swap", "gauge", "Container swap usage in bytes.", (), _memory("swap")),
    (
        "memory_total_active_file_bytes",
        "gauge",
        "Current total active file in bytes.",
        (),
        _memory("active_file"),
    ),
    (
        "memory_total_inactive_file_bytes",
        "gauge",
        "Current total inactive file in bytes.",
        (),
        _memory("inactive_file"),
    ),
    (
        "memory_usage_bytes",
        "gauge",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        (),
        _memory("usage"),
    ),
    ("memory_working_set_bytes", "gauge", "Current working set in bytes.", (), _memory("working_set")),
    *_NETWORK,
    (
        "oom_events_total",
        "counter",
        "Count of out of memory events observed for the container",
        (),
        _own("oom_kills"),
    ),
    *_PRESSURE,
    ("spec_cpu_period", "gauge", "CPU period of the container.", (), _own("period_us")),
    ("spec_cpu_quota", "gauge", "CPU quota of the container.", (), _quota("quota_us")),
    ("spec_cpu_shares", "gauge", "CPU share of the container.", (), _own("shares")),
    ("spec_memory_limit_bytes", "gauge", "Memory limit for the container.", (), _memory("limit")),
    (
        "start_time_seconds",
        "gauge",
        "Start time of the container since unix epoch in seconds.",
        (),
        _started,
    ),
    ("threads", "gauge", "Number of threads running inside the container", (), _own("processes")),
    (
        "threads_max",
        "gauge",
        "Maximum number of threads allowed inside the container, infinity if value is zero",
        (),
        _own("threads_limit"),
    ),
)


def _io_families(
    devices: Mapping[str, str],
) -> Iterator[tuple[str, str, str, tuple[str, ...], Callable[[Subject], Iterable[Figure]]]]:
    for index, name, text in (
        (0, "fs_reads_bytes_total", "Cumulative count of bytes read"),
        (2, "fs_reads_total", "Cumulative count of reads completed"),
        (1, "fs_writes_bytes_total", "Cumulative count of bytes written"),
        (3, "fs_writes_total", "Cumulative count of writes completed"),
    ):

        def figures(subject: Subject, index: int = index) -> Iterator[Figure]:
            for device, counts in subject.use.io.items():
                yield (devices.get(device, device),), counts[index]

        yield name, "counter", text, ("device",), figures
