"""What a client may ask for beside the object itself: list, write and delete options, checked.

They come as query parameters; a DELETE may carry them as a body instead, which then counts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherry.apiserver.request import is_true
from wherry.objects.errors import ApiError, FieldError, bad_request, forbidden_value, invalid, not_supported
from wherry.objects.meta import Object

PROPAGATION_POLICIES = ("Background", "Foreground", "Orphan")
FIELD_VALIDATIONS = ("Ignore", "Strict", "Warn")
META_GROUP = "meta.k8s.io"


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
        is_true(query.get("allowWatchBookmarks", "")),
        None if initial is None else is_true(initial),
    )
    errors = _list_errors(options, is_true(query.get("watch", "")))
    if errors:
        raise invalid("ListOptions", META_GROUP, "", errors)
    if options.resource_version and not options.resource_version.isdigit():
        raise bad_request(
            f"invalid resource version: strconv.ParseUint: parsing {options.resource_version!r}"
        )
    return options


def _list_errors(options: ListOptions, is_watch: bool) -> list[FieldError]:
    match = options.resource_version_match
    errors: list[FieldError] = []
    if options.send_initial_events is not None and not is_watch:
        errors.append(forbidden_value("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if is_watch:
        if options.send_initial_events is None and match:
            errors.append(
                forbidden_value(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                )
            )
        if options.send_initial_events is not None and match != "NotOlderThan":
            errors.append(
                forbidden_value(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                )
            )
        return errors
    if not match:
        return errors
    if not options.resource_version:
        errors.append(
            forbidden_value(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            )
        )
    if options.continue_token:
        errors.append(
            forbidden_value(
                "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"
            )
        )
    if match not in ("Exact", "NotOlderThan"):
        errors.append(not_supported("resourceVersionMatch", match, ("Exact", "NotOlderThan", "")))
    if match == "Exact" and options.resource_version == "0":
        errors.append(
            forbidden_value(
                "resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            )
        )
    return errors


def _integer(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def check_write_options(query: Mapping[str, str], kind: str) -> None:
    """Check dryRun and fieldValidation of a `kind` such as CreateOptions. Raises ApiError (422)."""
    if not query:
        return
    errors: list[FieldError] = []
    dry_run = query.get("dryRun", "")
    if dry_run and dry_run != "All":
        errors.append(not_supported("dryRun", [dry_run], ("All",)))
    validation = query.get("fieldValidation", "")
    if validation and validation not in FIELD_VALIDATIONS:
        errors.append(not_supported("fieldValidation", validation, FIELD_VALIDATIONS))
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        errors.append(
            FieldError("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes")
        )
    if errors:
        raise invalid(kind, META_GROUP, "", errors)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """`metav1.DeleteOptions`. `propagation` is "" when the client did not choose."""

    grace_period_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    orphan_dependents: bool | None = None
    dry_run: bool = False


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
    dry_run = values.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    errors: list[FieldError] = []
    if any(item != "All" for item in dry_run):
        errors.append(not_supported("dryRun", dry_run, ("All",)))
    propagation = values.get("propagationPolicy") or ""
    orphan = values.get("orphanDependents")
    if propagation and propagation not in PROPAGATION_POLICIES:
        errors.append(
            not_supported("propagationPolicy", propagation, ("Background", "Foreground", "Orphan", "nil"))
        )
    if propagation and orphan is not None:
        errors.append(
            FieldError(
                "FieldValueInvalid",
                "propagationPolicy",
                f'Invalid value: "{propagation}": '
                "orphanDependents and deletionPropagation cannot be both set",
            )
        )
    if errors:
        raise invalid("DeleteOptions", META_GROUP, "", errors)
    grace = values.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise ApiError(400, "BadRequest", "gracePeriodSeconds must be a whole number of seconds")
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
    )
