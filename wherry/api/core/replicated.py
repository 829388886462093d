"""What ReplicationController, ReplicaSet and Deployment share: a template, a count, counts in status.

The first two are one thing in two ages: `ReplicatedStrategy` is what neither has for itself.
Validators add to a list of errors, like those of the pod's spec.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from wherry.api.columns import age_of, template_cells
from wherry.api.core.pod_spec import validate_pod_template
from wherry.api.core.pod_spec.rules import Errors, Fields, check_nonnegative
from wherry.api.core.pod_warnings import pod_warnings
from wherry.api.generation import count_generation
from wherry.api.resource import Column, Strategy
from wherry.api.validation import (
    validate_label_selector,
    validate_object_meta,
    validate_object_meta_update,
)
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.selectors import Selector, from_label_selector

DESIRED = Column("Desired", type="integer", description="How many pods are wanted.")
CURRENT = Column("Current", type="integer", description="How many pods there are.")
READY = Column("Ready", type="integer", description="How many of the pods are ready.")

COUNTS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")


class ReplicatedStrategy(Strategy, ABC):
    """A number of equal pods: checks, status and table row."""

    status_counts: ClassVar[tuple[str, ...]] = COUNTS

    def prepare(self, new: Object, old: Object | None) -> None:
        new["status"] = {"replicas": 0} if old is None else old.get("status") or {"replicas": 0}
        count_generation(new, old, ("spec",))

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        errors: Errors = (
            validate_object_meta(new, True) if old is None else validate_object_meta_update(new, old)
        )
        spec = new.get("spec") or {}
        check_nonnegative(spec, ("minReadySeconds", "replicas"), "spec", errors)
        self.validate_spec(spec, (old.get("spec") or {}) if old is not None else None, errors)
        return errors

    @abstractmethod
    def validate_spec(self, spec: Fields, before: Fields | None, errors: Errors) -> None:
        """Add what is wrong with selector and template; `before` is the stored spec on update."""

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        errors: Errors = validate_object_meta_update(new, old)
        validate_counts(new.get("status") or {}, self.status_counts, errors)
        return errors

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        return template_warnings(new, old)

    @abstractmethod
    def selector_text(self, selector: Any) -> str:
        """The Selector cell."""

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [
            name_of(obj),
            *replica_counts(obj),
            age_of(obj, now),
            *template_cells(obj),
            self.selector_text((obj.get("spec") or {}).get("selector")),
        ]


def default_replicas(spec: dict[str, Any]) -> None:
    """One pod when nothing was said."""
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def replica_counts(obj: Object) -> list[int]:
    """The cells under `DESIRED, CURRENT, READY`."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [spec.get("replicas") or 0, status.get("replicas") or 0, status.get("readyReplicas") or 0]


def status_replicas(obj: Object) -> str:
    """`status.replicas` for field selectors."""
    return str((obj.get("status") or {}).get("replicas") or 0)


def template_warnings(new: Object, old: Object | None) -> list[str]:
    """Warnings about the pod template, when it is new or may have changed."""
    if old is not None and new["metadata"].get("generation") == old["metadata"].get("generation"):
        return []
    template = (new.get("spec") or {}).get("template") or {}
    return pod_warnings(template, "spec.template")


def validate_selector(selector: Fields | None, path: str, errors: Errors) -> Selector | None:
    """The label selector of a controller, which must be given and select something.

    Returns it parsed, one that selects nothing when there is none, None when it cannot be.
    """
    if selector is None:
        errors.append(required(path))
        return from_label_selector(None)
    errors.extend(validate_label_selector(selector, path))
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid_value(path, selector, "empty selector is invalid for deployment"))
    try:
        return from_label_selector(selector)
    except ValueError:
        errors.append(invalid_value(path, selector, "invalid label selector"))
        return None


def validate_selected_template(
    template: Fields | None, selector: Selector, path: str, kind: str, errors: Errors
) -> None:
    """A template whose pods the selector finds again, and which run until they are deleted."""
    if template is None:
        errors.append(required(path))
        return
    labels = labels_of(template)
    if not selector.is_empty and not selector.matches(labels):
        detail = "`selector` does not match template `labels`"
        errors.append(invalid_value(f"{path}.metadata.labels", dict(labels) or None, detail))
    errors.extend(validate_pod_template(template, path))
    spec = template.get("spec") or {}
    policy = spec.get("restartPolicy") or ""
    if policy != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", policy, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden_value(f"{path}.spec.activeDeadlineSeconds", detail))


def validate_counts(status: Mapping[str, Any], names: tuple[str, ...], errors: Errors) -> None:
    """The named counts of a status: none negative, none of a part above the whole."""
    check_nonnegative(status, names, "status", errors)
    total = status.get("replicas") or 0
    for name in names:
        if name in ("replicas", "observedGeneration", "unavailableReplicas", "collisionCount"):
            continue
        count = status.get(name) or 0
        if name != "terminatingReplicas" and count > total:
            errors.append(invalid_value(f"status.{name}", count, "cannot be greater than status.replicas"))
    available = status.get("availableReplicas") or 0
    if available > (status.get("readyReplicas") or 0):
        detail = "cannot be greater than readyReplicas"
        errors.append(invalid_value("status.availableReplicas", available, detail))
