"""Which calls to a driver a node may leave out: `skipNodeOperations`."""

from __future__ import annotations

from typing import Any

from wherry.api.validation.collections import validate_set
from wherry.objects.errors import FieldError, invalid_value, not_supported

PREPARE, UNPREPARE, EVERY = "NodePrepareResources", "NodeUnprepareResources", "*"
_OPERATIONS = (EVERY, PREPARE, UNPREPARE)
_ALONE = "NodePrepareResources cannot be skipped unless NodeUnprepareResources is also skipped"


def skipped_errors(operations: Any, path: str) -> list[FieldError]:
    """The list of operations: known ones, each once, and no preparing that is not undone."""

    def check(operation: str, at: str) -> list[FieldError]:
        return [] if operation in _OPERATIONS else [not_supported(at, operation, _OPERATIONS)]

    errors = validate_set(operations, path, check, lambda operation: operation)
    found = set(operations or ())
    if PREPARE in found and not found & {UNPREPARE, EVERY}:
        errors.append(invalid_value(path, list(operations), _ALONE))
    return errors
