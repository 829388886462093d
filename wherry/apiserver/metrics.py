"""What the server counts about itself, cheaply; `metrics_text` shows it to Prometheus.

A request costs one dict lookup and a few additions; what is counted is what upstream counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from wherry.api.resource import Resource
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.seats import Seats
from wherry.objects.errors import ApiError

BUCKETS_S = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0),
    *(15.0, 20.0, 30.0, 45.0, 60.0),
)
VERBS = {"create": "POST", "update": "PUT"}
KNOWN_VERBS = frozenset(
    {
        *("GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "DELETE", "DELETECOLLECTION"),
        *("CONNECT", "APPLY", "HEAD", "OPTIONS"),
    }
)
CONNECTING = frozenset({"exec", "attach", "portforward", "proxy"})
APPLY_TYPE = "application/apply-patch+yaml"


class Key(NamedTuple):
    """The labels a request is counted under; paths and names are left out, they would never end."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""
    dry_run: str = ""


class Series:
    """Events of one kind: how many with which code, and how long they took."""

    __slots__ = ("buckets", "codes", "total_s")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0

    def observe(self, code: int, seconds: float, count: int = 1) -> None:
        """Count one, or some that took so long each."""
        self.codes[code] = self.codes.get(code, 0) + count
        self.buckets[bisect_left(BUCKETS_S, seconds)] += count
        self.total_s += seconds * count


class WatchCount:
    """Events sent to the watchers of one resource, and how many bytes they came to."""

    __slots__ = ("events", "sent_b")

    def __init__(self) -> None:
        self.events = 0
        self.sent_b = 0


class RequestMetrics:
    """Counters of one server."""

    def __init__(self, seats: Seats) -> None:
        self.series: dict[Key, Series] = {}
        self.seats = seats
        """Requests being answered right now, long-running ones apart."""
        self.long_running: dict[Key, int] = {}
        """Watches, logs, exec and the like being served right now."""
        self.watched: dict[tuple[str, str, str], WatchCount] = {}
        """By group, version and resource."""
        self.webhooks = WebhookMetrics()
        """What is counted about webhooks of admission."""

    def observe(self, key: Key, code: int, seconds: float) -> None:
        """Count one answered request."""
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = Series()
        series.observe(code, seconds)

    def count(self, verb: str, code: int) -> int:
        """How many requests of `verb` (GET, LIST, POST ...) were answered with `code`."""
        return sum(series.codes.get(code, 0) for key, series in self.series.items() if key.verb == verb)

    def watch_count(self, group: str, version: str, resource: str) -> WatchCount:
        """Where events sent to watchers of a resource are counted."""
        return self.watched.setdefault((group, version, resource), WatchCount())

    def forget(self, gone: Iterable[Resource]) -> None:
        """These resources are not served any more: their series would never be asked for again."""
        names = {(resource.group, resource.plural) for resource in gone}
        for key in [key for key in self.series if (key.group, key.resource) in names]:
            del self.series[key]
        for group, version, plural in [k for k in self.watched if (k[0], k[2]) in names]:
            del self.watched[group, version, plural]

    @contextmanager
    def running(self, key: Key) -> Iterator[None]:
        """Around a long-running request being served."""
        self.long_running[key] = self.long_running.get(key, 0) + 1
        try:
            yield
        finally:
            self.long_running[key] -= 1
            if not self.long_running[key]:
                del self.long_running[key]


class LocalCalls:
    """Calls through the in-process transport, by method and code: this server's own client requests."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], int] = {}

    @contextmanager
    def counting(self, method: str) -> Iterator[None]:
        """Around one call; an ApiError tells its code, everything else went well or is a fault."""
        code = 500
        try:
            yield
            code = 200
        except ApiError as error:
            code = error.code
            raise
        finally:
            self.add(method, code)

    def add(self, method: str, code: int, count: int = 1) -> None:
        """So many calls ended so."""
        self.counts[method, code] = self.counts.get((method, code), 0) + count


class StoreTimes:
    """How long the store took, by operation, group and resource."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str, str], Series] = {}

    def forget(self, gone: Iterable[Resource]) -> None:
        """These resources are not served any more."""
        names = {(resource.group, resource.plural) for resource in gone}
        for key in [key for key in self.series if key[1:] in names]:
            del self.series[key]

    def observe(self, key: tuple[str, str, str], code: int, seconds: float, count: int) -> None:
        """Count one operation of the store, or `count` at once: `code` is 1 for one that failed."""
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = Series()
        series.observe(code, seconds, count)


def metric_key(info: RequestInfo, query: Mapping[str, str], content_type: str = "") -> Key:
    """What a request is counted under."""
    verb = VERBS.get(info.verb) or info.verb.upper()
    if verb not in KNOWN_VERBS:
        verb = "other"  # upstream's word for methods that are none
    if not info.is_resource:
        return Key(verb)
    if info.subresource in CONNECTING:
        verb = "CONNECT"
    elif verb == "PATCH" and content_type.startswith(APPLY_TYPE):
        verb = "APPLY"
    if info.verb in ("list", "watch", "deletecollection") or not info.name:
        scope = "namespace" if info.namespace else "cluster"
    else:
        scope = "resource"
    dry_run = "All" if query.get("dryRun") == "All" else ""
    return Key(verb, info.group, info.version, info.resource, info.subresource, scope, dry_run)
