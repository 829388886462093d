"""What a client asks of API servers, as client-go counts it (`rest_client_*`).

Source: k8s.io/component-base/metrics/prometheus/restclient/metrics.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from wherry.kit.metrics import Counter, Histogram, Metric

DURATION_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
NO_ANSWER = "<error>"
"""The code of what was not answered."""


class RequestMetrics:
    """The counters of one client; `host` is that of a URL."""

    def __init__(self) -> None:
        self._total = Counter(
            "rest_client_requests_total",
            "[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.",
            ("code", "host", "method"),
        )
        self._duration = Histogram(
            "rest_client_request_duration_seconds",
            "[ALPHA] Request latency in seconds. Broken down by verb, and host.",
            ("host", "verb"),
            DURATION_S,
        )

    def answered(self, method: str, host: str, status: int | None, seconds: float) -> None:
        """A request was answered with `status` after so long; None for one that was not answered."""
        self._total.inc(NO_ANSWER if status is None else str(status), host, method)
        self._duration.observe(seconds, host, method)

    def metrics(self) -> Sequence[Metric]:
        """All of them."""
        return self._total, self._duration


@runtime_checkable
class CountedRequests(Protocol):
    """A transport that counts what it asks for."""

    requests: RequestMetrics
