"""What the server counts about itself, cheaply, and shows as Prometheus text when asked.

A request costs one dict lookup and a few additions; names and labels are upstream's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from wherry.apiserver.admission.metrics import WebhookMetrics

BUCKETS_S = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
Key = tuple[str, str, str, str, str, str]
"""verb, group, version, resource, subresource, scope."""

DURATION_HELP = (
    "Response latency distribution in seconds for each verb, dry run value, group, version, resource, "
    "subresource, scope and component."
)


class _Series:
    """Requests of one kind: how many with which code, and how long they took."""

    __slots__ = ("buckets", "codes", "total_s")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0


class RequestMetrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._series: dict[Key, _Series] = {}
        self.reading = 0
        """Requests being answered right now that do not write, long-running ones apart."""
        self.mutating = 0
        """The same for those that write."""
        self.long_running = 0
        """Watches, logs, exec and the like being served right now."""
        self.refused = {"readOnly": 0, "mutating": 0}
        self.webhooks = WebhookMetrics()
        """What is counted about webhooks of admission."""

    def observe(self, key: Key, code: int, seconds: float) -> None:
        """Count one answered request."""
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.codes[code] = series.codes.get(code, 0) + 1
        series.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        series.total_s += seconds

    def count(self, verb: str, code: int) -> int:
        """How many requests of `verb` were answered with `code`."""
        return sum(series.codes.get(code, 0) for key, series in self._series.items() if key[0] == verb)

    def render(self, store_revision: int) -> str:
        """All of it in the text format."""
        return "\n".join(
            [*self._requests(), *self._durations(), *self._gauges(store_revision), *self.webhooks.lines(), ""]
        )

    def _requests(self) -> Iterator[str]:
        yield (
            "# HELP apiserver_request_total [STABLE] Counter of apiserver requests broken out for each verb, "
            "dry run value, group, version, resource, scope, component, and HTTP response code."
        )
        yield "# TYPE apiserver_request_total counter"
        for key, series in self._series.items():
            for code, number in series.codes.items():
                yield f'apiserver_request_total{{code="{code}",{_labels(key)}}} {number}'

    def _durations(self) -> Iterator[str]:
        name = "apiserver_request_duration_seconds"
        yield f"# HELP {name} [STABLE] {DURATION_HELP}"
        yield f"# TYPE {name} histogram"
        for key, series in self._series.items():
            labels = _labels(key)
            running = 0
            for limit, number in zip(BUCKETS_S, series.buckets, strict=False):
                running += number
                yield f'{name}_bucket{{{labels},le="{limit:g}"}} {running}'
            total = running + series.buckets[-1]
            yield f'{name}_bucket{{{labels},le="+Inf"}} {total}'
            yield f"{name}_sum{{{labels}}} {series.total_s:.9g}"
            yield f"{name}_count{{{labels}}} {total}"

    def _gauges(self, store_revision: int) -> Iterator[str]:
        yield (
            "# HELP apiserver_current_inflight_requests [STABLE] Maximal number of currently used inflight "
            "request limit of this apiserver per request kind in last second."
        )
        yield "# TYPE apiserver_current_inflight_requests gauge"
        yield f'apiserver_current_inflight_requests{{request_kind="mutating"}} {self.mutating}'
        yield f'apiserver_current_inflight_requests{{request_kind="readOnly"}} {self.reading}'
        yield "# HELP apiserver_longrunning_requests [STABLE] Gauge of all active long-running requests."
        yield "# TYPE apiserver_longrunning_requests gauge"
        yield f"apiserver_longrunning_requests {self.long_running}"
        yield "# HELP apiserver_dropped_requests_total Number of requests dropped with 'Try again later'."
        yield "# TYPE apiserver_dropped_requests_total counter"
        for kind, number in self.refused.items():
            yield f'apiserver_dropped_requests_total{{request_kind="{kind}"}} {number}'
        yield "# HELP wherry_store_revision The newest revision of the store."
        yield "# TYPE wherry_store_revision gauge"
        yield f"wherry_store_revision {store_revision}"


def _labels(key: Key) -> str:
    verb, group, version, resource, subresource, scope = key
    return (
        f'component="apiserver",dry_run="",group="{group}",resource="{resource}",scope="{scope}",'
        f'subresource="{subresource}",verb="{verb.upper()}",version="{version}"'
    )
