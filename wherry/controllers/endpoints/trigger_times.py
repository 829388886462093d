"""When what endpoints tell of has happened: by it the time from there to the last proxy is measured.

Source: staging/src/k8s.io/endpointslice/util/trigger_time_tracker.go. Times are as the API has them, to the
second, so they are in order as texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wherry.kit.portions import Portions, Work
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, annotations_of, metadata, name_of

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass(slots=True)
class _Seen:
    service: str = ""
    pods: dict[str, str] = field(default_factory=dict)


class TriggerTimes:
    """What was seen of each service when it was looked at last."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    async def look(self, key: str, service: Object, pods: Iterable[Object]) -> str:
        """The first moment of what has changed since the last look, the service's coming at the first one.

        "" when nothing that bears a time has changed. In portions; not to be called twice at once for a key.
        """
        portions = Portions(Work.CONTROLLING)
        seen = self._seen.get(key)
        now = _Seen(metadata(service).get("creationTimestamp") or "")
        before = seen or _Seen()
        first = now.service if now.service > before.service else ""
        for pod in pods:
            await portions.next()
            ready = find_condition((pod.get("status") or {}).get("conditions"), "Ready")
            since = (ready or {}).get("lastTransitionTime") or ""
            if not since:
                continue
            name = name_of(pod)
            now.pods[name] = since
            if since > before.pods.get(name, "") and (not first or since < first):
                first = since
        self._seen[key] = now
        return first if seen is not None else now.service

    def forget(self, key: str) -> None:
        """The service is gone."""
        self._seen.pop(key, None)


def stamped(obj: Object, since: str) -> Object:
    """The object with that moment in its annotation, or without the annotation if there is none."""
    annotations = {name: value for name, value in annotations_of(obj).items() if name != TRIGGER_TIME}
    if since:
        annotations[TRIGGER_TIME] = since
    meta = {name: value for name, value in obj["metadata"].items() if name != "annotations"}
    return {**obj, "metadata": {**meta, "annotations": annotations} if annotations else meta}
