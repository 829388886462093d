"""Annotations that mean something on a pod: mirror pods, deletion cost."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.kit.integers import parse_integer
from wherry.objects.errors import forbidden_value, invalid_value

MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_INTEGER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)


def validate_pod_annotations(annotations: Mapping[str, str], spec: Fields, path: str, errors: Errors) -> None:
    """What the annotations of a pod or a template say; `path` is that of the map."""
    mirror = annotations.get(MIRROR)
    if mirror is not None and not spec.get("nodeName"):
        detail = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(invalid_value(f"{path}[{MIRROR}]", mirror, detail))
    cost = annotations.get(DELETION_COST)
    if cost is not None and (not _INTEGER.fullmatch(cost) or parse_integer(cost, 32) is None):
        errors.append(invalid_value(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))


def validate_pod_annotation_changes(
    new: Mapping[str, str], old: Mapping[str, str], path: str, errors: Errors
) -> None:
    """A pod neither becomes nor stops being the mirror of a static one."""
    before, after = old.get(MIRROR), new.get(MIRROR)
    if before != after:
        how = "add" if before is None else "remove or update"
        errors.append(forbidden_value(f"{path}[{MIRROR}]", f"may not {how} mirror pod annotation"))
