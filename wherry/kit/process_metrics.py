"""`process_*`, what Prometheus' clients tell of the process they are in; read from /proc when asked for."""

from __future__ import annotations

from collections.abc import Iterator


class ProcessMetrics:
    """The families of this process, for a page (see `metrics.Metric`)."""

    def lines(self) -> Iterator[str]:
        """All of them; the library is loaded with the first page."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        return iter(generate_latest(registry).decode().splitlines())
