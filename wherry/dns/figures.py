"""What the DNS measures, by CoreDNS's names (https://coredns.io/plugins/metrics/, cache/, forward/)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from time import perf_counter

from wherry.dns.wire import Code, Type
from wherry.kit.metrics import Family, Histogram, Metric, Sample

SECONDS = (
    0.00025,
    0.0005,
    0.001,
    0.002,
    0.004,
    0.008,
    0.016,
    0.032,
    0.064,
    0.128,
    0.256,
    0.512,
    1.024,
    2.048,
)
KINDS = {kind.value: kind.name for kind in Type}
OTHER = "other"
SERVER, VIEW = "dns://:53", ""


class Figures:
    """Counts questions and answers; what is counted for each is a line in a dictionary."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, bool, str]] = Counter()
        """By zone, whether by a stream, and type: those that are looked at here, and all others."""
        self.responses: Counter[tuple[str, int]] = Counter()
        """By zone and code."""
        self.failures = 0
        self.seconds = Histogram(
            "coredns_dns_request_duration_seconds",
            "Histogram of the time (in seconds) each request took per zone.",
            ("server", "zone", "view"),
            SECONDS,
        )

    def answered(self, zone: str, kind: int, code: int, began: float, *, is_stream: bool) -> None:
        """A question was answered; `began` is of `perf_counter`."""
        self.requests[zone, is_stream, KINDS.get(kind, OTHER)] += 1
        self.responses[zone, code] += 1
        self.seconds.observe(perf_counter() - began, SERVER, zone, VIEW)

    def metrics(self, hits: int, misses: int) -> Iterator[Metric]:
        """All of it, as Prometheus reads it; `hits` and `misses` are of remembered answers of others."""
        yield Family(
            "coredns_dns_requests_total",
            "counter",
            "Counter of DNS requests made per zone, protocol and family.",
            ("server", "zone", "view", "proto", "family", "type"),
            [
                Sample((SERVER, zone, VIEW, "tcp" if is_stream else "udp", "1", kind), number)
                for (zone, is_stream, kind), number in self.requests.items()
            ],
        )
        yield Family(
            "coredns_dns_responses_total",
            "counter",
            "Counter of response status codes.",
            ("server", "zone", "view", "rcode", "plugin"),
            [
                Sample((SERVER, zone, VIEW, _code(code), ""), number)
                for (zone, code), number in self.responses.items()
            ],
        )
        yield self.seconds
        for name, text, value in (
            ("coredns_cache_hits_total", "The count of cache hits.", hits),
            ("coredns_cache_misses_total", "The count of cache misses.", misses),
            ("coredns_proxy_conn_failures_total", "Questions no other server answered.", self.failures),
        ):
            yield Family(name, "counter", text, ("server",), [Sample((SERVER,), value)])


def _code(code: int) -> str:
    return Code(code).name if code in Code.__members__.values() else str(code)
