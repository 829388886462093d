"""Reading `metrics.k8s.io`, `custom.metrics.k8s.io` and `external.metrics.k8s.io`, whoever serves them.

Source: pkg/controller/podautoscaler/metrics/client.go; staging/src/k8s.io/metrics. Numbers are in
thousandths (milli) everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from wherry.api.resource import Resource
from wherry.client.api import Client
from wherry.controllers.podautoscaler import answers
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.objects.names import path_segment_errors

RESOURCE_API = "/apis/metrics.k8s.io/v1beta1"
CUSTOM_API = "/apis/custom.metrics.k8s.io"
CUSTOM_VERSIONS = ("v1beta2", "v1beta1")
EXTERNAL_API = "/apis/external.metrics.k8s.io/v1beta1"
GENERIC = {
    404: "the server could not find the requested resource",
    503: "the server is currently unable to handle the request",
}
PLAIN = ("404 page not found", "service unavailable")
"""Answers without a Status, for which client-go has words of its own, with what was asked for."""


class MetricsError(Exception):
    """No metric could be had; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one pod, in thousandths, over `window_s` seconds until `taken`."""

    value: int
    taken: datetime = answers.NEVER
    window_s: float = answers.DEFAULT_WINDOW_S


Samples = dict[str, Sample]
"""By the pod's name."""


class Metrics:
    """Asks for metrics as the identity of `client`. All methods raise MetricsError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def of_resource(self, namespace: str, selector: str, resource: str, container: str) -> Samples:
        """Each pod's use of a resource: of its `container`, or of all if that is ""."""
        path = f"{RESOURCE_API}/namespaces/{_segment(namespace)}/pods"
        items = await self._items(path, {"labelSelector": selector}, "resource", "get pods.metrics.k8s.io")
        with _reading("resource"):
            read = [_sample_of(item, resource, container) for item in items]
        found = {name: sample for name, sample in read if sample is not None}
        if not found:
            raise MetricsError("no metrics returned from resource metrics API")
        return found

    async def of_pods(self, namespace: str, selector: str, metric: str, metric_selector: str) -> Samples:
        """Each pod's value of a custom metric."""
        path = f"namespaces/{_segment(namespace)}/pods/*/{_segment(metric)}"
        items = await self._custom(path, selector, metric_selector)
        with _reading("custom"):
            return {
                answers.name_in(item, "describedObject"): Sample(
                    _value(item), answers.taken(item), answers.window_seconds(item)
                )
                for item in items
            }

    async def of_object(
        self, resource: Resource, namespace: str, name: str, metric: str, metric_selector: str
    ) -> int:
        """The value of a custom metric of one object."""
        metric = _segment(metric)
        if (resource.group, resource.kind) == ("", "Namespace"):
            path = f"namespaces/{_segment(name)}/metrics/{metric}"
        else:
            plural = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
            start = f"namespaces/{_segment(namespace)}/" if resource.namespaced else ""
            path = f"{start}{plural}/{_segment(name)}/{metric}"
        items = await self._custom(path, "", metric_selector)
        with _reading("custom"):
            return _value(items[0])

    async def of_external(self, namespace: str, metric: str, selector: str) -> list[int]:
        """The values of an external metric, one for each series the selector finds."""
        name = _segment(metric)
        path = f"{EXTERNAL_API}/namespaces/{_segment(namespace)}/{name}"
        what = f"get {metric}.external.metrics.k8s.io"
        items = await self._items(path, {"labelSelector": selector}, "external", what)
        with _reading("external"):
            return [_value(item) for item in items]

    async def _custom(self, path: str, selector: str, metric_selector: str) -> Sequence[Object]:
        query = {"labelSelector": selector, "metricLabelSelector": metric_selector}
        metric = path.rpartition("/")[2]
        version = await self._custom_version()
        what = f"get {metric}.custom.metrics.k8s.io"
        return await self._items(f"{CUSTOM_API}/{version}/{path}", query, "custom", what)

    async def _custom_version(self) -> str:
        """The newest version of the custom metrics API that is served."""
        try:
            group = await self._client.raw(CUSTOM_API)
        except ApiError as error:
            if error.code != 404:
                raise MetricsError(error.message) from error
            group = {}
        served = {version.get("version") for version in group.get("versions") or ()}
        for version in CUSTOM_VERSIONS:
            if version in served:
                return version
        raise MetricsError("no known available metric versions found")

    async def _items(self, path: str, query: Mapping[str, str], api: str, what: str) -> Sequence[Object]:
        try:
            answer = await self._client.raw(path, {key: value for key, value in query.items() if value})
        except ApiError as error:
            raise MetricsError(
                f"unable to fetch metrics from {api} metrics API: {_told(error, what)}"
            ) from error
        with _reading(api):
            items = answers.objects(answer.get("items"), "items")
        if not items:
            raise MetricsError(f"no metrics returned from {api} metrics API")
        return items


@contextmanager
def _reading(api: str) -> Iterator[None]:
    """What cannot be read is told as a metric that cannot be had."""
    try:
        yield
    except answers.Unreadable as error:
        raise MetricsError(f"unable to fetch metrics from {api} metrics API: {error}") from error


def _sample_of(item: Object, resource: str, container: str) -> tuple[str, Sample | None]:
    """The pod's name, and what it uses of a resource; None unless all containers meant say so."""
    values = [
        answers.inner(one, "usage").get(resource)
        for one in answers.objects(item.get("containers"), "containers")
        if not container or answers.text(one, "name") == container
    ]
    name, taken, window_s = answers.name_in(item, "metadata"), answers.taken(item), answers.window_s(item)
    if not values or None in values:
        return name, None
    total = sum(answers.quantity(value, f"usage.{resource}") for value in values)
    return name, Sample(total, taken, window_s)


def _value(item: Object) -> int:
    return answers.quantity(item.get("value") or "0", "value")


def _told(error: ApiError, what: str) -> str:
    generic = GENERIC.get(error.code, "")
    return f"{generic} ({what})" if generic and error.message in (generic, *PLAIN) else error.message


def _segment(name: str) -> str:
    """A name as it can stand in a path. Raises MetricsError, in the words of upstream's client."""
    problems = path_segment_errors(name)
    if problems:
        raise MetricsError(f'invalid resource name "{name}": [{", ".join(problems)}]')
    return name
