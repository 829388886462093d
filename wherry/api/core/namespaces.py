"""Namespace: a scope for names, and the unit of deletion.

A namespace is born Active, holds the finalizer `kubernetes` in its spec until its contents are gone,
and carries its own name as a label so that selectors can name it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource, Strategy, Subresource
from wherry.api.validation import DNS_LABEL, validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, invalid_value
from wherry.objects.meta import Object, is_deleting, metadata, name_of
from wherry.objects.names import qualified_name_errors

FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"
ACTIVE, TERMINATING = "Active", "Terminating"


class NamespaceStrategy(Strategy):
    """Rules of namespaces."""

    def default(self, obj: Object) -> None:
        """The label with the namespace's name."""
        if name := name_of(obj):
            labels = dict(metadata(obj).get("labels") or {})
            if labels.get(NAME_LABEL) != name:
                labels[NAME_LABEL] = name
                obj["metadata"]["labels"] = labels

    def prepare(self, new: Object, old: Object | None) -> None:
        """A new namespace is active and cannot go while it has contents."""
        if old is not None:
            super().prepare(new, old)
            new["spec"] = {**(new.get("spec") or {}), "finalizers": _finalizers(old)}
            if not new["spec"]["finalizers"]:
                del new["spec"]["finalizers"]
            return
        new["status"] = {"phase": ACTIVE}
        spec = dict(new.get("spec") or {})
        if FINALIZER not in _finalizers(new):
            spec["finalizers"] = [*_finalizers(new), FINALIZER]
        new["spec"] = spec

    def prepare_finalize(self, new: Object, old: Object) -> None:
        """The finalize subresource: only `spec.finalizers` and metadata's own finalizers may change."""
        finalizers = _finalizers(new)
        revision = metadata(new).get("resourceVersion")
        kept = {**old, "metadata": dict(metadata(old)), "spec": dict(old.get("spec") or {})}
        if revision:
            kept["metadata"]["resourceVersion"] = revision
        if finalizers:
            kept["spec"]["finalizers"] = finalizers
        else:
            kept["spec"].pop("finalizers", None)
        new.clear()
        new.update(kept)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        """Metadata and finalizers."""
        if old is not None:
            return validate_object_meta_update(new, old)
        errors = validate_object_meta(new, namespaced=False, name_rule=DNS_LABEL)
        return errors + finalizer_errors(_finalizers(new), "spec.finalizers")

    def validate_finalize(self, new: Object, old: Object) -> list[FieldError]:
        """Metadata and each finalizer, as written through the finalize subresource."""
        errors = validate_object_meta_update(new, old)
        for index, name in enumerate(_finalizers(new)):
            errors += finalizer_errors([name], f"spec.finalizers[{index}]")
        return errors

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """A namespace being deleted is Terminating, any other Active."""
        errors = validate_object_meta_update(new, old)
        phase = (new.get("status") or {}).get("phase") or ""
        if is_deleting(new) and phase != TERMINATING:
            errors.append(
                invalid_value(
                    "status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty"
                )
            )
        if not is_deleting(new) and phase != ACTIVE:
            errors.append(
                invalid_value("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")
            )
        return errors

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """Name, Status, Age."""
        return [name_of(obj), _phase(obj), age_of(obj, now)]


def finalizer_errors(finalizers: list[str], path: str) -> list[FieldError]:
    """A finalizer of a namespace's spec is a qualified name; without a domain only `kubernetes` is."""
    errors: list[FieldError] = []
    for name in finalizers:
        errors += [invalid_value(path, name, text) for text in qualified_name_errors(name)]
        if "/" not in name and name != FINALIZER:
            errors.append(
                invalid_value(
                    path, name, "name is neither a standard finalizer name nor is it fully qualified"
                )
            )
    return errors


def _finalizers(obj: Object) -> list[str]:
    return list((obj.get("spec") or {}).get("finalizers") or ())


def _phase(obj: Object) -> str:
    phase: str = (obj.get("status") or {}).get("phase") or ""
    return phase


NAMESPACES = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(Subresource("finalize", verbs=("update",)), Subresource("status")),
    strategy=NamespaceStrategy(),
    columns=(NAME, Column("Status", description="The status of the namespace"), AGE),
    selectable={"status.phase": _phase, "name": name_of},
    schema="io.k8s.api.core.v1.Namespace",
)
