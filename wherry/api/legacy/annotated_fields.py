"""Fields the present versions have no place for: they travel as annotations, under upstream's keys."""

from __future__ import annotations

from wherry.kit.integers import parse_integer
from wherry.objects.meta import Object

ROLLBACK_TO = "deprecated.deployment.rollback.to"


def number_in(text: str | None) -> int | None:
    """The number an annotation carries, None for one that carries nothing that could be written again."""
    number = None if text is None else parse_integer(text)
    return number if str(number) == text else None


def moved(obj: Object, api_version: str, spec: Object, annotation: str, number: int | None) -> Object:
    """`obj` in another version, with a new `spec`, and `number` in `annotation` (None: without it)."""
    meta = dict(obj.get("metadata") or {})
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key != annotation}
    if number is not None:
        annotations[annotation] = str(number)
    meta.pop("annotations", None)
    if annotations:
        meta["annotations"] = annotations
    return {**obj, "apiVersion": api_version, "metadata": meta, "spec": spec}
