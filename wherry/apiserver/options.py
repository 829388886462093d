"""What a client may ask for beside the object itself: list, write and delete options, checked.

They come as query parameters; a DELETE may carry them as a body instead, which then counts alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.apiserver.json_problems import json_type
from wherry.apiserver.request import is_set, is_true
from wherry.kit.integers import go_integer, go_unsigned
from wherry.objects.errors import (
    FieldError,
    bad_request,
    forbidden_value,
    invalid,
    invalid_value,
    not_supported,
    too_long,
)
from wherry.objects.meta import Object

PROPAGATION_POLICIES = ("Foreground", "Background", "Orphan")
MANAGER_LIMIT_B = 128
FIELD_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
META_GROUP = "meta.k8s.io"
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_LONGEST_NUMBER = 64
"""Digits; longer texts are not even converted, which would take long."""
_INT64, _UINT64 = 1 << 63, 1 << 64


@dataclass(frozen=True, slots=True)
class ListOptions:
    """`metav1.ListOptions`. `timeout_s` is 0 when not given, `send_initial_events` None."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_token: str = ""
    timeout_s: int = 0
    allow_bookmarks: bool = False
    send_initial_events: bool | None = None


NO_LIST_OPTIONS = ListOptions()


def list_options(query: Mapping[str, str]) -> ListOptions:
    """Read and check list options. Raises ApiError (400, 422)."""
    if not query:
        return NO_LIST_OPTIONS
    initial = query.get("sendInitialEvents")
    options = ListOptions(
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
        _integer(query, "limit"),
        query.get("continue", ""),
        _integer(query, "timeoutSeconds"),
        is_set(query, "allowWatchBookmarks"),
        None if initial is None else is_true(initial),
    )
    errors = _list_errors(options, is_set(query, "watch"))
    if errors:
        raise invalid("ListOptions", META_GROUP, "", errors)
    version_number(options.resource_version)
    return options


def version_number(text: str) -> int:
    """A resourceVersion as a number, 0 for none. Raises ApiError (400)."""
    if not text:
        return 0
    try:
        return go_unsigned(text)
    except ValueError as error:
        why = invalid_value("resourceVersion", text, str(error))
        raise bad_request(f"invalid resource version: {why}") from error


def _list_errors(options: ListOptions, is_watch: bool) -> list[FieldError]:
    match, field = options.resource_version_match, "resourceVersionMatch"
    errors: list[FieldError] = []
    if is_watch:
        return _watch_errors(options)
    if match:
        if not options.resource_version:
            errors.append(forbidden_value(field, f"{field} is forbidden unless resourceVersion is provided"))
        if options.continue_token:
            errors.append(forbidden_value(field, f"{field} is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            errors.append(not_supported(field, match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and options.resource_version == "0":
            why = f'{field} "exact" is forbidden for resourceVersion "0"'
            errors.append(forbidden_value(field, why))
    if options.send_initial_events is not None:
        errors.append(forbidden_value("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return errors


def _watch_errors(options: ListOptions) -> list[FieldError]:
    match, field = options.resource_version_match, "resourceVersionMatch"
    errors: list[FieldError] = []
    if options.send_initial_events is not None and match != "NotOlderThan":
        why = f"sendInitialEvents requires setting {field} to NotOlderThan"
        errors.append(forbidden_value(field, why))
    if not match:
        return errors
    if options.send_initial_events is None:
        why = f"{field} is forbidden for watch unless sendInitialEvents is provided"
        errors.append(forbidden_value(field, why))
    if match != "NotOlderThan":
        errors.append(not_supported(field, match, ("NotOlderThan",)))
    if options.continue_token:
        errors.append(forbidden_value(field, f"{field} is forbidden when continue is provided"))
    return errors


def _integer(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text:
        return 0
    try:
        return go_integer(text)
    except ValueError as error:
        raise bad_request(str(error)) from error


def check_write_options(query: Mapping[str, str], kind: str, first: Sequence[FieldError] = ()) -> None:
    """Check fieldManager, dryRun and fieldValidation of a `kind` such as CreateOptions.

    `first` are complaints found before. Raises ApiError (422).
    """
    if not query and not first:
        return
    errors = [*first, *_manager_errors(query.get("fieldManager", ""))]
    dry_run = query.get("dryRun", "All")
    if dry_run != "All":
        errors.append(not_supported("dryRun", [dry_run], ("All",)))
    validation = query.get("fieldValidation", "")
    if validation not in FIELD_VALIDATIONS:
        errors.append(not_supported("fieldValidation", validation, FIELD_VALIDATIONS))
    if errors:
        raise invalid(kind, META_GROUP, "", errors)


def _manager_errors(manager: str) -> list[FieldError]:
    if manager.isprintable() and len(manager) <= MANAGER_LIMIT_B // 4:  # a character has four bytes at most
        return []
    errors: list[FieldError] = []
    if len(manager.encode()) > MANAGER_LIMIT_B:
        errors.append(too_long("fieldManager", MANAGER_LIMIT_B))
    place = 0
    for character in manager:
        if not character.isprintable():
            why = f"invalid character U+{ord(character):04X} (at position {place})"
            errors.append(invalid_value("fieldManager", manager, why))
        place += len(character.encode())
    return errors


IGNORE_READ_ERROR = "ignoreStoreReadErrorWithClusterBreakingPotential"
_NOT_WITH_IGNORE = ("dryRun", "propagationPolicy", "orphanDependents", "gracePeriodSeconds", "preconditions")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """`metav1.DeleteOptions`. `propagation` is "" when the client did not choose."""

    grace_period_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    orphan_dependents: bool | None = None
    dry_run: bool = False
    ignores_read_error: bool = False


def delete_options(query: Mapping[str, str], body: Object | None) -> DeleteOptions:
    """Options of a DELETE, from its body if there is one, else from the query. Raises ApiError."""
    values: dict[str, Any] = dict(body) if body else {}
    if not body:
        if "gracePeriodSeconds" in query:
            values["gracePeriodSeconds"] = _integer(query, "gracePeriodSeconds")
        if "propagationPolicy" in query:
            values["propagationPolicy"] = query["propagationPolicy"]
        if "orphanDependents" in query:
            values["orphanDependents"] = is_true(query["orphanDependents"])
        if IGNORE_READ_ERROR in query:
            values[IGNORE_READ_ERROR] = is_true(query[IGNORE_READ_ERROR])
        if query.get("dryRun"):
            values["dryRun"] = [query["dryRun"]]
    dry_run = values.get("dryRun") or []
    propagation = values.get("propagationPolicy") or ""
    orphan = values.get("orphanDependents")
    errors: list[FieldError] = []
    if propagation and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(invalid_value("propagationPolicy", propagation, why))
    if propagation and propagation not in PROPAGATION_POLICIES:
        errors.append(not_supported("propagationPolicy", propagation, (*PROPAGATION_POLICIES, "nil")))
    if any(item != "All" for item in dry_run):
        errors.append(not_supported("dryRun", dry_run, ("All",)))
    if values.get(IGNORE_READ_ERROR) is True:
        errors += [
            invalid_value(IGNORE_READ_ERROR, True, f"cannot be set together with .{other}")
            for other in _NOT_WITH_IGNORE
            if values.get(other) is not None and values.get(other) != []
        ]
    if errors:
        raise invalid("DeleteOptions", META_GROUP, "", errors)
    grace = values.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise bad_request(
            f"json: cannot unmarshal {json_type(grace)} into Go struct "
            "field DeleteOptions.gracePeriodSeconds of type int64"
        )
    preconditions = values.get("preconditions") or {}
    if orphan is not None:
        propagation = "Orphan" if orphan else "Background"
    return DeleteOptions(
        grace if grace is None or grace >= 0 else 1,
        preconditions.get("uid") or "",
        preconditions.get("resourceVersion") or "",
        propagation,
        orphan,
        bool(dry_run),
        values.get(IGNORE_READ_ERROR) is True,
    )
