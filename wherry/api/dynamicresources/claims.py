"""What is asked for: requests, constraints and configuration of a claim, with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from wherry.api.dynamicresources.names import (
    class_errors,
    driver_errors,
    fully_qualified_errors,
    label_errors,
)
from wherry.api.dynamicresources.taints import TOLERATIONS_LIMIT, toleration_errors
from wherry.api.validation.collections import validate_list, validate_set
from wherry.api.validation.expressions import expression_errors
from wherry.objects.errors import FieldError, invalid_value, not_supported, required, too_long
from wherry.objects.meta import Object

REQUESTS_LIMIT = 32
CONSTRAINTS_LIMIT = 32
CONFIGS_LIMIT = 32
SELECTORS_LIMIT = 32
ALTERNATIVES_LIMIT = 8
DERIVED_LIMIT = 32
EXPRESSION_LIMIT_B = 10 * 1024
PARAMETERS_LIMIT_B = 10 * 1024
ALL, EXACT_COUNT = "All", "ExactCount"
_ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"
_NO_REQUEST = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)
_ONE_ATTRIBUTE = (
    'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
)
_NOT_REFERENCED = (
    "must be referenced by at least one matchAttribute or distinctAttribute constraint targeting this request"
)
Fields = Mapping[str, Any]


@dataclass(slots=True)
class Names:
    """The requests of a claim, each with its alternatives, and the attributes its constraints name."""

    requests: dict[str, set[str]] = field(default_factory=dict)
    attributes: dict[str, set[str]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether there is this request, or alternative (`request/alternative`)."""
        first, slash, second = name.partition("/")
        return first in self.requests and (not slash or second in self.requests[first])


def names_of(claim: Fields) -> Names:
    """What can be referred to in a `DeviceClaim`."""
    names = Names()
    for request in claim.get("requests") or ():
        alternatives = {part.get("name") or "" for part in request.get("firstAvailable") or ()}
        names.requests[request.get("name") or ""] = alternatives
    for constraint in claim.get("constraints") or ():
        attribute = constraint.get("matchAttribute") or constraint.get("distinctAttribute")
        for target in constraint.get("requests") or [""]:
            names.attributes.setdefault(target, set()).add(attribute or "")
    return names


def default_claim(claim: Object) -> None:
    """Default a `DeviceClaim` in place."""
    for request in claim.get("requests") or ():
        exact = request.get("exactly")
        for part in [exact] if exact is not None else request.get("firstAvailable") or ():
            if not part.get("allocationMode"):
                part["allocationMode"] = EXACT_COUNT
            if part["allocationMode"] == EXACT_COUNT and not part.get("count"):
                part["count"] = 1
            for toleration in part.get("tolerations") or ():
                if not toleration.get("operator"):
                    toleration["operator"] = "Equal"


def claim_errors(claim: Fields, path: str) -> list[FieldError]:
    """What is wrong with a `DeviceClaim`."""
    names = names_of(claim)
    errors = validate_set(
        claim.get("requests"),
        f"{path}.requests",
        lambda request, at: _request_errors(request, at, names),
        lambda request: request.get("name") or "",
        REQUESTS_LIMIT,
    )
    errors += validate_list(
        claim.get("constraints"),
        f"{path}.constraints",
        lambda constraint, at: _constraint_errors(constraint, at, names),
        CONSTRAINTS_LIMIT,
    )
    return errors + validate_list(
        claim.get("config"),
        f"{path}.config",
        lambda config, at: request_config_errors(config, at, names),
        CONFIGS_LIMIT,
    )


def _request_errors(request: Fields, path: str, names: Names) -> list[FieldError]:
    name = request.get("name") or ""
    errors = label_errors(name, f"{path}.name")
    exact, alternatives = request.get("exactly"), request.get("firstAvailable")
    if exact is not None and alternatives:
        return [*errors, invalid_value(path, None, f"{_ONE_KIND}, but multiple fields are set")]
    if exact is not None:
        return errors + _exact_errors(exact, f"{path}.exactly", name, names)
    if not alternatives:
        return [*errors, required(path, _ONE_KIND)]

    def check(part: Fields, at: str) -> list[FieldError]:
        own = part.get("name") or ""
        return label_errors(own, f"{at}.name") + _exact_errors(part, at, f"{name}/{own}", names)

    return errors + validate_set(
        alternatives, f"{path}.firstAvailable", check, lambda part: part.get("name") or "", ALTERNATIVES_LIMIT
    )


def _exact_errors(part: Fields, path: str, name: str, names: Names) -> list[FieldError]:
    """What a request, or an alternative of one, asks for."""
    errors = class_errors(part.get("deviceClassName"), f"{path}.deviceClassName")
    errors += selectors_errors(part.get("selectors"), f"{path}.selectors")
    errors += validate_set(
        part.get("derivedAttributes"),
        f"{path}.derivedAttributes",
        lambda derived, at: _derived_errors(derived, at, name, names),
        lambda derived: derived.get("name") or "",
        DERIVED_LIMIT,
    )
    mode, count = part.get("allocationMode") or "", part.get("count") or 0
    if mode == ALL:
        if count:
            why = f"must not be specified when allocationMode is '{ALL}'"
            errors.append(invalid_value(f"{path}.count", count, why))
    elif mode == EXACT_COUNT:
        if count <= 0:
            errors.append(invalid_value(f"{path}.count", count, "must be greater than zero"))
    else:
        errors.append(not_supported(f"{path}.allocationMode", mode, (ALL, EXACT_COUNT)))
    return errors + validate_list(
        part.get("tolerations"), f"{path}.tolerations", toleration_errors, TOLERATIONS_LIMIT
    )


def selectors_errors(selectors: Any, path: str) -> list[FieldError]:
    """A list of `DeviceSelector`s."""
    return validate_list(selectors, path, _selector_errors, SELECTORS_LIMIT)


def _selector_errors(selector: Fields, path: str) -> list[FieldError]:
    cel = selector.get("cel")
    if cel is None:
        return [required(f"{path}.cel")]
    source, at = cel.get("expression") or "", f"{path}.cel.expression"
    if len(source.encode()) > EXPRESSION_LIMIT_B:
        return [too_long(at, EXPRESSION_LIMIT_B)]
    wrong = "must evaluate to bool or the unknown type, not {kind}"
    return expression_errors(at, source, ("device",), ("bool",), wrong_kind=wrong, binds=True)


def _derived_errors(derived: Fields, path: str, request: str, names: Names) -> list[FieldError]:
    name, source = derived.get("name") or "", derived.get("expression") or ""
    errors: list[FieldError] = []
    if not name:
        errors.append(required(f"{path}.name"))
    else:
        errors += fully_qualified_errors(name, f"{path}.name")
        targets = ("", request, request.partition("/")[0])
        if not any(name in names.attributes.get(target, ()) for target in targets):
            errors.append(invalid_value(f"{path}.name", name, _NOT_REFERENCED))
    if not source:
        return [*errors, required(f"{path}.expression")]
    if len(source.encode()) > EXPRESSION_LIMIT_B:
        return [*errors, too_long(f"{path}.expression", EXPRESSION_LIMIT_B)]
    return errors + expression_errors(f"{path}.expression", source, ("device",), binds=True)


def request_name_errors(name: str, path: str, names: Names) -> list[FieldError]:
    """A reference to a request."""
    segments = name.split("/")
    if len(segments) > 2:
        return [invalid_value(path, name, _NO_REQUEST)]
    errors = [error for segment in segments for error in label_errors(segment, path)]
    return errors if names.has(name) else [*errors, invalid_value(path, name, _NO_REQUEST)]


def request_names_errors(found: Any, path: str, names: Names) -> list[FieldError]:
    """A list of references to requests."""
    return validate_set(
        found, path, lambda name, at: request_name_errors(name, at, names), lambda name: name, REQUESTS_LIMIT
    )


def _constraint_errors(constraint: Fields, path: str, names: Names) -> list[FieldError]:
    errors = request_names_errors(constraint.get("requests"), f"{path}.requests", names)
    for word in ("matchAttribute", "distinctAttribute"):
        if constraint.get(word) is not None:
            return errors + fully_qualified_errors(constraint[word], f"{path}.{word}")
    return [*errors, required(path, _ONE_ATTRIBUTE)]


def request_config_errors(config: Fields, path: str, names: Names) -> list[FieldError]:
    """Configuration for some of the requests."""
    return request_names_errors(config.get("requests"), f"{path}.requests", names) + config_errors(
        config, path
    )


def config_errors(config: Fields, path: str) -> list[FieldError]:
    """A `DeviceConfiguration`: parameters only the driver understands."""
    opaque = config.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque")]
    errors = driver_errors(opaque.get("driver"), f"{path}.opaque.driver")
    return errors + raw_errors(opaque.get("parameters"), f"{path}.opaque.parameters", PARAMETERS_LIMIT_B)


def raw_errors(value: Any, path: str, limit_b: int) -> list[FieldError]:
    """An object nobody here looks into, at most `limit_b` bytes of JSON."""
    if value is None:
        return [required(path)]
    if len(orjson.dumps(value)) > limit_b:
        return [too_long(path, limit_b)]
    if not isinstance(value, dict):
        return [invalid_value(path, "<value omitted>", "must be a valid JSON object")]
    return []
