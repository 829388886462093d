"""LeaseCandidate: one who would lead, and in which version. Whose lease it is about never changes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from wherry.api.beta.lifecycles import SINCE_1_33
from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import NameRule
from wherry.kit.integers import go_unsigned, is_digits
from wherry.objects.errors import FieldError, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import config_key_errors, qualified_name_errors

_SCHEMA = "io.k8s.api.coordination.v1beta1.LeaseCandidate"
_VERSION = "coordination.k8s.io/v1beta1"
OLDEST_EMULATION_VERSION = "OldestEmulationVersion"

_NUMBER = r"(?:0|[1-9]\d*)"
_WORD = rf"(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMANTIC_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_WORD}(?:\.{_WORD})*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_NOT_A_VERSION = "must be a valid semantic version"

Precedence = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def precedence(version: str) -> Precedence | None:
    """A key that orders semantic versions (a release after its candidates), None for what is none."""
    match = _SEMANTIC_VERSION.fullmatch(version)
    if match is None:
        return None
    words = match[4].split(".") if match[4] else []
    try:
        return (
            go_unsigned(match[1]),
            go_unsigned(match[2]),
            go_unsigned(match[3]),
            not words,
            tuple((not is_digits(word), go_unsigned(word) if is_digits(word) else 0, word) for word in words),
        )
    except ValueError:
        return None


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    binary, emulated = spec.get("binaryVersion") or "", spec.get("emulationVersion") or ""
    errors = [
        invalid_value(f"spec.{field}", version, _NOT_A_VERSION)
        for field, version in (("emulationVersion", emulated), ("binaryVersion", binary))
        if version and precedence(version) is None
    ]
    errors += [
        required(f"spec.{field}")
        for field in ("leaseName", "binaryVersion", "strategy")
        if not spec.get(field)
    ]
    newest, oldest = precedence(binary), precedence(emulated)
    if newest is not None and oldest is not None and newest < oldest:
        why = "must be greater than or equal to `emulationVersion`"
        errors.append(invalid_value("spec.binaryVersion", binary, why))
    return errors + _strategy_errors(spec.get("strategy") or "", emulated)


def _strategy_errors(strategy: str, emulated: str) -> list[FieldError]:
    if not strategy:
        return []
    if "/" in strategy:
        return [
            invalid_value("spec.strategy.strategy", strategy, text)
            for text in qualified_name_errors(strategy)
        ]
    if strategy != OLDEST_EMULATION_VERSION:
        return [not_supported("spec.strategy.strategy", strategy, (OLDEST_EMULATION_VERSION,))]
    if not emulated:
        why = f"must be specified when `strategy` is '{OLDEST_EMULATION_VERSION}'"
        return [required("spec.emulationVersion", why)]
    return []


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    fields = ("leaseName", "binaryVersion", "emulationVersion", "pingTime", "renewTime", "strategy")
    return [name_of(obj), *(spec.get(field) or "" for field in fields), age_of(obj, now)]


LEASE_CANDIDATES = Resource(
    group="coordination.k8s.io",
    version="v1beta1",
    kind="LeaseCandidate",
    plural="leasecandidates",
    namespaced=True,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=True,
        name_rule=NameRule(config_key_errors, config_key_errors),
        creates_on_update=True,
        unconditional_update=False,
        immutable=("spec.leaseName",),
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("LeaseName", description="The lease the candidate would hold."),
        Column("BinaryVersion", description="The version of the candidate's program."),
        Column("EmulationVersion", description="The version the candidate behaves as."),
        Column("PingTime", description="When the candidate was last asked whether it is there."),
        Column("RenewTime", description="When the candidate last said that it is there."),
        Column("Strategy", description="How the leader is chosen."),
        AGE,
    ),
    schema=_SCHEMA,
    deprecation=SINCE_1_33.warning(_VERSION, "LeaseCandidate"),
)
