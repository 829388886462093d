"""What is counted about webhooks of admission; names and labels are upstream's."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

BUCKETS_S = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0)
Labels = tuple[tuple[str, str], ...]
PREFIX = "apiserver_admission_webhook"
_COUNTERS = (
    ("request_total", "Admission webhook request total, by name, type, code, operation and rejection."),
    ("rejection_count", "Admission webhook rejection count, by name, type, operation and kind of error."),
    ("fail_open_count", "Admission webhook fail open count, by name and type."),
)


class WebhookMetrics:
    """Counters of one server's webhooks."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter[Labels]] = {name: Counter() for name, _ in _COUNTERS}
        self._durations: dict[Labels, list[float]] = {}

    def answered(self, name: str, kind: str, operation: str, code: int, seconds: float) -> None:
        """A webhook was asked; `code` is what it said, 200 when it agreed."""
        rejected = "true" if code >= 400 else "false"
        labels = (("name", name), ("operation", operation), ("rejected", rejected), ("type", kind))
        self._counters["request_total"][(("code", str(code)), *labels)] += 1
        found = self._durations.setdefault(labels, [0.0] * (len(BUCKETS_S) + 2))
        found[bisect_left(BUCKETS_S, seconds)] += 1
        found[-1] += seconds

    def rejected(self, name: str, kind: str, operation: str, error_type: str, code: int) -> None:
        """A webhook kept a request from passing: by what it said (`no_error`), or by failing."""
        self._counters["rejection_count"][
            (
                ("error_type", error_type),
                ("name", name),
                ("operation", operation),
                ("rejection_code", str(code)),
                ("type", kind),
            )
        ] += 1

    def failed_open(self, name: str, kind: str) -> None:
        """A webhook failed and the request went on without it."""
        self._counters["fail_open_count"][(("name", name), ("type", kind))] += 1

    def lines(self) -> Iterator[str]:
        """All of it in the text format; nothing while there is nothing to tell."""
        for name, what in _COUNTERS:
            if counted := self._counters[name]:
                yield f"# HELP {PREFIX}_{name} {what}"
                yield f"# TYPE {PREFIX}_{name} counter"
                for labels, number in counted.items():
                    yield f"{PREFIX}_{name}{{{_text(labels)}}} {number}"
        if self._durations:
            yield from self._histogram()

    def _histogram(self) -> Iterator[str]:
        name = f"{PREFIX}_admission_duration_seconds"
        yield f"# HELP {name} Admission webhook latency, by name, operation, rejection and type."
        yield f"# TYPE {name} histogram"
        for labels, found in self._durations.items():
            text, running = _text(labels), 0
            for limit, number in zip((*BUCKETS_S, None), found, strict=False):
                running += int(number)
                bound = "+Inf" if limit is None else f"{limit:g}"
                yield f'{name}_bucket{{{text},le="{bound}"}} {running}'
            yield f"{name}_sum{{{text}}} {found[-1]:.9g}"
            yield f"{name}_count{{{text}}} {running}"


def _text(labels: Labels) -> str:
    return ",".join(f'{key}="{value}"' for key, value in labels)
