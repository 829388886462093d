"""The expressions of policies: variables, validations, audit annotations, mutations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.admissionregistration.matching import VARIABLES
from wherry.api.validation import check_text
from wherry.api.validation.expressions import expression_errors
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, not_supported, required
from wherry.objects.names import qualified_name_errors

ANNOTATIONS_LIMIT = 20
VALUE_LIMIT_B = 5 * 1024
PATCH_TYPES = ("ApplyConfiguration", "JSONPatch")
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"}
    | {"import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}
)
_NOTHING_TO_DO = "validations or auditAnnotations must contain at least one item"
Fields = Mapping[str, Any]


@dataclass(slots=True)
class Scope:
    """What the expressions of one policy may name; `declared` grows as its variables are read."""

    has_params: bool
    has_variables: bool
    declared: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, spec: Fields) -> Scope:
        """The scope of a policy, its variables not yet read."""
        return cls(spec.get("paramKind") is not None, bool(spec.get("variables")))

    def errors(
        self,
        path: str,
        source: str,
        kinds: Sequence[str] = (),
        *,
        authorizes: bool = True,
        patches: bool = False,
    ) -> list[FieldError]:
        """What is wrong with an expression at `path`."""
        names = [*VARIABLES]
        names += ["params"] if self.has_params else []
        names += ["authorizer"] if authorizes else []
        names += ["variables"] if self.has_variables else []
        return expression_errors(
            path, source, names, kinds, fields={"variables": self.declared}, makes_patches=patches
        )


def variable_errors(variables: Sequence[Fields], path: str, scope: Scope) -> list[FieldError]:
    """The variables, each of which may use those before it."""
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        at, name = f"{path}[{index}]", variable.get("name") or ""
        if not name.strip():
            errors.append(required(f"{at}.name", "name is not specified"))
        elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
            errors.append(invalid_value(f"{at}.name", name, "name is not a valid CEL identifier"))
        source = variable.get("expression") or ""
        if not source.strip():
            errors.append(required(f"{at}.expression", "expression is not specified"))
        else:
            errors += scope.errors(f"{at}.expression", source)
        scope.declared.append(name)
    return errors


def check_errors(spec: Fields, name: str, scope: Scope) -> list[FieldError]:
    """What a validating policy checks and writes down."""
    validations, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not validations and not annotations:
        return [
            required("spec.validations", _NOTHING_TO_DO),
            required("spec.auditAnnotations", _NOTHING_TO_DO),
        ]
    errors: list[FieldError] = []
    for index, validation in enumerate(validations):
        errors += _validation_errors(validation, f"spec.validations[{index}]", scope)
    if len(annotations) > ANNOTATIONS_LIMIT:
        why = f"must not have more than {ANNOTATIONS_LIMIT} auditAnnotations"
        errors.append(invalid_value("spec.auditAnnotations", list(annotations), why))
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        path, key = f"spec.auditAnnotations[{index}]", annotation.get("key") or ""
        errors += _annotation_errors(annotation, path, name, scope)
        if key in seen:
            errors.append(duplicate_value(f"{path}.key", key))
        seen.add(key)
    return errors


def _validation_errors(validation: Fields, path: str, scope: Scope) -> list[FieldError]:
    source, message = validation.get("expression") or "", validation.get("message") or ""
    making = validation.get("messageExpression") or ""
    errors: list[FieldError] = []
    if not source.strip():
        errors.append(required(f"{path}.expression", "expression is not specified"))
    else:
        errors += scope.errors(f"{path}.expression", source, ("bool",))
    if making and not making.strip():
        errors.append(invalid_value(f"{path}.messageExpression", making, "must be non-empty if specified"))
    elif making:
        errors += scope.errors(f"{path}.messageExpression", making, ("string",), authorizes=False)
    if message and not message.strip():
        errors.append(invalid_value(f"{path}.message", message, "message must be non-empty if specified"))
    elif "\n" in message.strip() or "\r" in message.strip():
        errors.append(invalid_value(f"{path}.message", message, "message must not contain line breaks"))
    reason = validation.get("reason")
    if reason is not None and reason not in REASONS:
        errors.append(not_supported(f"{path}.reason", reason, REASONS))
    return errors


def _annotation_errors(annotation: Fields, path: str, name: str, scope: Scope) -> list[FieldError]:
    key, source = annotation.get("key") or "", annotation.get("valueExpression") or ""
    at, trimmed = f"{path}.valueExpression", source.strip()
    if name:
        errors = check_text(f"{path}.key", f"{name}/{key}", qualified_name_errors)
    else:
        errors = [invalid_value(f"{path}.key", key, "requires metadata.name be non-empty")]
    if not trimmed:
        return [*errors, required(at, "valueExpression is not specified")]
    if len(trimmed.encode()) > VALUE_LIMIT_B:
        return [*errors, required(at, f"must not exceed {VALUE_LIMIT_B} bytes in length")]
    return errors + scope.errors(at, trimmed, ("string", "null_type"))


def mutation_errors(mutations: Sequence[Fields], path: str, scope: Scope) -> list[FieldError]:
    """What a mutating policy changes, and how."""
    if not mutations:
        return [required(path, "mutations must contain at least one item")]
    errors: list[FieldError] = []
    for index, mutation in enumerate(mutations):
        errors += _mutation_errors(mutation, f"{path}[{index}]", scope)
    return errors


def _mutation_errors(mutation: Fields, path: str, scope: Scope) -> list[FieldError]:
    kind = mutation.get("patchType") or ""
    if not kind:
        return [required(f"{path}.patchType")]
    fields = {"JSONPatch": "jsonPatch", "ApplyConfiguration": "applyConfiguration"}
    if kind not in fields:
        return [not_supported(f"{path}.patchType", kind, PATCH_TYPES)]
    errors: list[FieldError] = []
    for other, name in fields.items():
        told, at = mutation.get(name), f"{path}.{name}"
        if other != kind and told is not None:
            why = f"must not be specified when patchType is {kind}"
            errors.append(invalid_value(at, f"{{{name}}}", why))
        elif other == kind and told is None:
            errors.append(required(at, f"must be specified when patchType is {kind}"))
        elif other == kind:
            errors += _patch_errors((told or {}).get("expression") or "", f"{at}.expression", kind, scope)
    return errors


def _patch_errors(source: str, path: str, kind: str, scope: Scope) -> list[FieldError]:
    if not source.strip():
        return [required(path)]
    kinds = ("list(JSONPatch)",) if kind == "JSONPatch" else ("Object",)
    return scope.errors(path, source.strip(), kinds, patches=True)
