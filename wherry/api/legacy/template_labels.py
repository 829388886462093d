"""What the first versions of workloads took from the pod template: selector and labels."""

from __future__ import annotations

from wherry.objects.meta import Object


def default_from_template(obj: Object) -> None:
    """Select the template's labels where nothing is selected, wear them where nothing is worn; in place."""
    spec = obj.setdefault("spec", {})
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if not labels:
        return
    if spec.get("selector") is None:
        spec["selector"] = {"matchLabels": dict(labels)}
    meta = obj.setdefault("metadata", {})
    if not meta.get("labels"):
        meta["labels"] = dict(labels)
