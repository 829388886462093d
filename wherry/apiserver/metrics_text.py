"""The server's counters in Prometheus' text format, under upstream's names and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wherry.apiserver.metrics import BUCKETS_S, Key, LocalCalls, RequestMetrics, Series, StoreTimes
from wherry.kit.process_metrics import ProcessMetrics

DURATION_HELP = (
    "Response latency distribution in seconds for each verb, dry run value, group, version, resource, "
    "subresource, scope and component."
)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(
    metrics: RequestMetrics,
    stored: StoreTimes,
    local: LocalCalls,
    objects: Mapping[tuple[str, str], int],
    revision: int,
) -> str:
    """All of it.

    `objects` counts what is stored, by group and resource; `revision` is the store's newest.
    """
    return "\n".join(
        [
            *_requests(metrics.series),
            *_request_durations(metrics.series),
            *_gauges(metrics),
            *_watches(metrics),
            *_store(stored),
            *_objects(objects),
            *_local(local),
            *metrics.webhooks.lines(),
            *_metric("wherry_store_revision", "gauge", "The newest revision of the store."),
            f"wherry_store_revision {revision}",
            *ProcessMetrics().lines(),
            "",
        ]
    )


def _metric(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _requests(series: Mapping[Key, Series]) -> Iterator[str]:
    name = "apiserver_request_total"
    yield from _metric(
        name,
        "counter",
        "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, "
        "resource, scope, component, and HTTP response code.",
    )
    for key, found in series.items():
        for code, number in found.codes.items():
            yield f'{name}{{code="{code}",{_labels(key)}}} {number}'


def _request_durations(series: Mapping[Key, Series]) -> Iterator[str]:
    name = "apiserver_request_duration_seconds"
    yield from _metric(name, "histogram", f"[STABLE] {DURATION_HELP}")
    for key, found in series.items():
        yield from _histogram(name, _labels(key), found)


def _histogram(name: str, labels: str, series: Series) -> Iterator[str]:
    total = 0
    for limit, number in zip(BUCKETS_S, series.buckets, strict=False):
        total += number
        yield f'{name}_bucket{{{labels},le="{limit:g}"}} {total}'
    total += series.buckets[-1]
    yield f'{name}_bucket{{{labels},le="+Inf"}} {total}'
    yield f"{name}_sum{{{labels}}} {series.total_s:.9g}"
    yield f"{name}_count{{{labels}}} {total}"


def _gauges(metrics: RequestMetrics) -> Iterator[str]:
    name = "apiserver_current_inflight_requests"
    yield from _metric(
        name,
        "gauge",
        "[STABLE] Maximal number of currently used inflight request limit of this apiserver per request "
        "kind in last second.",
    )
    yield f'{name}{{request_kind="mutating"}} {metrics.seats.mutating.in_flight}'
    yield f'{name}{{request_kind="readOnly"}} {metrics.seats.reading.in_flight}'
    name = "apiserver_longrunning_requests"
    yield from _metric(
        name,
        "gauge",
        "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, "
        "resource, scope and component. Not all requests are tracked this way.",
    )
    for key, number in metrics.long_running.items():
        yield f"{name}{{{_labels(key, with_dry_run=False)}}} {number}"
    name = "apiserver_dropped_requests_total"
    yield from _metric(name, "counter", "[ALPHA] Number of requests dropped with 'Try again later' response")
    for kind, number in (
        (room.kind, room.refused) for room in (metrics.seats.reading, metrics.seats.mutating)
    ):
        yield f'{name}{{request_kind="{kind}"}} {number}'


def _watches(metrics: RequestMetrics) -> Iterator[str]:
    name = "apiserver_watch_events_total"
    yield from _metric(name, "counter", "[ALPHA] Number of events sent in watch clients")
    for (group, version, resource), found in metrics.watched.items():
        yield f'{name}{{group="{group}",resource="{resource}",version="{version}"}} {found.events}'
    name = "apiserver_watch_events_sent_bytes_total"
    yield from _metric(name, "counter", "Bytes of events sent to watch clients.")
    for (group, version, resource), found in metrics.watched.items():
        yield f'{name}{{group="{group}",resource="{resource}",version="{version}"}} {found.sent_b}'


def _store(stored: StoreTimes) -> Iterator[str]:
    name = "etcd_request_duration_seconds"
    yield from _metric(
        name, "histogram", "[ALPHA] Etcd request latency in seconds for each operation and object type."
    )
    labelled = {
        f'group="{group}",operation="{operation}",resource="{resource}"': series
        for (operation, group, resource), series in stored.series.items()
    }
    for labels, series in labelled.items():
        yield from _histogram(name, labels, series)
    yield from _metric(
        "etcd_requests_total",
        "counter",
        "[ALPHA] Etcd request counts for each operation and object type.",
    )
    for labels, series in labelled.items():
        yield f"etcd_requests_total{{{labels}}} {sum(series.codes.values())}"
    yield from _metric(
        "etcd_request_errors_total",
        "counter",
        "[ALPHA] Etcd failed request counts for each operation and object type.",
    )
    for labels, series in labelled.items():
        yield f"etcd_request_errors_total{{{labels}}} {series.codes.get(1, 0)}"


def _objects(objects: Mapping[tuple[str, str], int]) -> Iterator[str]:
    name = "apiserver_storage_objects"
    yield from _metric(
        name,
        "gauge",
        "[STABLE] Number of stored objects at the time of last check split by kind.",
    )
    for (group, resource), number in objects.items():
        yield f'{name}{{resource="{f"{resource}.{group}" if group else resource}"}} {number}'
    name = "apiserver_resource_objects"
    yield from _metric(
        name, "gauge", "[ALPHA] Number of stored objects at the time of last check split by kind."
    )
    for (group, resource), number in objects.items():
        yield f'{name}{{group="{group}",resource="{resource}"}} {number}'


def _local(local: LocalCalls) -> Iterator[str]:
    name = "rest_client_requests_total"
    yield from _metric(
        name, "counter", "[ALPHA] Number of HTTP requests, partitioned by status code, method, and host."
    )
    for (method, code), number in local.counts.items():
        yield f'{name}{{code="{code}",host="in-process",method="{method}"}} {number}'


def _labels(key: Key, *, with_dry_run: bool = True) -> str:
    dry_run = f'dry_run="{key.dry_run}",' if with_dry_run else ""
    return (
        f'component="apiserver",{dry_run}group="{_escaped(key.group)}",resource="{_escaped(key.resource)}",'
        f'scope="{key.scope}",subresource="{_escaped(key.subresource)}",verb="{_escaped(key.verb)}",'
        f'version="{_escaped(key.version)}"'
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
