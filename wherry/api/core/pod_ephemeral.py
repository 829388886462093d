"""`pods/ephemeralcontainers`: debugging containers join a pod that runs, nothing else changes."""

from __future__ import annotations

from wherry.api.generation import count_generation
from wherry.objects.meta import Object


def prepare_ephemeral(new: Object, old: Object) -> None:
    """Make `new` the stored `old` with only `new`'s ephemeral containers (and managedFields), in place."""
    containers = (new.get("spec") or {}).get("ephemeralContainers")
    spec = {name: value for name, value in old["spec"].items() if name != "ephemeralContainers"}
    if containers:
        spec["ephemeralContainers"] = containers
    keep_all_but_spec(new, old, spec)


def keep_all_but_spec(new: Object, old: Object, spec: Object) -> None:
    """Make `new` the stored `old` with another spec, counting the change, in place.

    What tells a write from the next (resourceVersion, managedFields) stays `new`'s own.
    """
    meta = {**old["metadata"]}
    for field in ("managedFields", "resourceVersion"):
        if value := (new.get("metadata") or {}).get(field):
            meta[field] = value
    kept = {**old, "metadata": meta, "spec": spec}
    new.clear()
    new.update(kept)
    count_generation(new, old, ("spec",))
