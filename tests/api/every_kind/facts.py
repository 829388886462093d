"""Reads `facts/*.yaml` and completes it from the schema: `FACTS`, and a `Change` for everything to try.

An entry gives `kind`, `object` (without apiVersion, kind and most of metadata) and, by dotted path:

- `required`: removing the field is refused with `Required value`, naming it;
- `enums`: a value nobody knows is refused with `Unsupported value`, naming it;
- `fixed`: what the stored object may not be changed to; the refusal names the field.

A text beside a path is what the refusal begins with instead, where upstream says it otherwise; `fine`
says that upstream takes it. What the schema calls required (texts) or an enum is added, unless listed.
`elsewhere: true` says that the kind is judged outside its strategy, so that nothing is tried here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.api.every_kind.pem import PEMS
from tests.yaml_files import read_yaml
from wherry.api.catalog import BUILTIN
from wherry.api.resource import Resource
from wherry.api.schema import Definition, Field, definition
from wherry.objects.meta import Object

FINE = "fine"
UNKNOWN = "Nonsense"
_NOT_THE_USERS = frozenset({"apiVersion", "kind", "metadata", "status"})
_INDEX = re.compile(r"\.(\d+)(?=\.|$)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What upstream knows of one kind in one version; see above for the maps."""

    resource: Resource
    object: Object
    required: Mapping[str, str | None] = field(default_factory=dict)
    enums: Mapping[str, str | None] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing changed in a kind's object, and what the refusal begins with ("" for none)."""

    facts: Facts
    what: str
    change: Callable[[Object], Object]
    refusal: str

    def __str__(self) -> str:
        resource = self.facts.resource
        return f"{resource.api_version} {resource.kind} {self.what}"


def shown(path: str) -> str:
    """A dotted path as errors write it: `spec.ports[0].port`."""
    return _INDEX.sub(r"[\1]", path)


def _at(obj: Any, path: str) -> tuple[Any, str | int]:
    """What holds the value at the path, and under which key."""
    steps = [int(step) if step.isdecimal() else step for step in path.split(".")]
    for step in steps[:-1]:
        obj = obj[step] if isinstance(step, int) else obj.setdefault(step, {})
    return obj, steps[-1]


def without(obj: Object, path: str) -> Object:
    """A copy of the object without the field."""
    made = copy.deepcopy(obj)
    holder, key = _at(made, path)
    del holder[key]
    return made


def with_value(obj: Object, path: str, value: Any) -> Object:
    """A copy of the object with another value there."""
    made = copy.deepcopy(obj)
    holder, key = _at(made, path)
    holder[key] = value
    return made


def _schema_facts(obj: Object, type_: Definition, path: str = "") -> Iterator[tuple[str, str]]:
    """(map, path) of each fact the schema tells about what is in the object."""
    for name, use in type_.fields().items():
        if not path and name in _NOT_THE_USERS:
            continue
        at, value = f"{path}.{name}" if path else name, obj.get(name)
        if value is None:
            continue
        if name in type_.required and use.type == "string" and use.default is None:
            yield "required", at
        yield from _value_facts(value, use, at)


def _value_facts(value: Any, use: Field, path: str) -> Iterator[tuple[str, str]]:
    if use.enum:
        yield "enums", path
    target = use.definition
    if target is not None and target.kind == "struct" and isinstance(value, dict):
        yield from _schema_facts(value, target, path)
    elif (items := use.items()) is not None and isinstance(value, list) and value:
        yield from _value_facts(value[0], items, f"{path}.0")


def _filled(value: Any) -> Any:
    """The value with `{csr}` and the like replaced."""
    if isinstance(value, dict):
        return {key: _filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    return PEMS.get(value, value) if isinstance(value, str) else value


def _listed(given: Any) -> dict[str, Any]:
    """A list of paths, or a map of paths to what is said about them."""
    return dict.fromkeys(given) if isinstance(given, list) else dict(given or {})


def _read() -> dict[tuple[str, str], dict[str, Any]]:
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted(Path(__file__).with_name("facts").glob("*.yaml")):
        for entry in read_yaml(path):
            for version in entry["apiVersion"].split():
                key = (version, entry["kind"])
                assert key not in entries, key
                entries[key] = entry
    return entries


def _facts_of(resource: Resource, entries: Mapping[tuple[str, str], dict[str, Any]]) -> Facts | None:
    entry = entries.get((resource.api_version, resource.kind))
    if entry is None:
        return None
    body = _filled(entry.get("object") or {})
    meta = {
        "name": "a",
        **({"namespace": "n"} if resource.namespaced else {}),
        **(body.get("metadata") or {}),
    }
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, **body, "metadata": meta}
    maps: dict[str, dict[str, Any]] = {
        name: _listed(entry.get(name)) for name in ("required", "enums", "fixed")
    }
    if resource.schema and not entry.get("elsewhere"):
        for name, path in _schema_facts(obj, definition(resource.schema)):
            maps[name].setdefault(path, None)
    if not entry.get("elsewhere"):
        maps["required"].setdefault(
            "metadata.name", "metadata.name: Required value: name or generateName is required"
        )
    return Facts(resource, obj, maps["required"], maps["enums"], maps["fixed"])


_ENTRIES = _read()
FACTS: dict[Resource, Facts | None] = {resource: _facts_of(resource, _ENTRIES) for resource in BUILTIN}
"""The facts about each built-in kind, None where they are missing."""


def walked() -> Iterator[Facts]:
    """Every kind that is judged by its strategy, in its stable versions, or in those it has."""
    stable = {resource.kind for resource in FACTS if "beta" not in resource.version}
    for resource, facts in FACTS.items():
        is_older = "beta" in resource.version and resource.kind in stable
        is_elsewhere = _ENTRIES.get((resource.api_version, resource.kind), {}).get("elsewhere")
        if facts is not None and resource.schema and not is_older and not is_elsewhere:
            yield facts


def closed_types(resource: Resource) -> frozenset[str]:
    """Types a walk over the kind's schema need not enter: pod templates are all treated by one function."""
    if (resource.api_version, resource.kind) in (("v1", "Pod"), ("apps/v1", "Deployment")):
        return frozenset()
    return frozenset({"io.k8s.api.core.v1.PodTemplateSpec"})


UNKNOWN_KINDS = set(_ENTRIES) - {(resource.api_version, resource.kind) for resource in BUILTIN}
"""Entries about kinds that are not served."""


def creations() -> Iterator[Change]:
    """Every object that lacks a required field, or has an unknown value in a field with few."""
    for facts in filter(None, FACTS.values()):
        for path, said in facts.required.items():
            text = "" if said == FINE else said or f"{shown(path)}: Required value"
            yield Change(facts, f"without {path}", partial(without, path=path), text)
        for path, said in facts.enums.items():
            text = "" if said == FINE else said or f'{shown(path)}: Unsupported value: "{UNKNOWN}"'
            change = partial(with_value, path=path, value=UNKNOWN)
            yield Change(facts, f"with an unknown {path}", change, text)


def updates() -> Iterator[Change]:
    """Every update of a field that never changes."""
    for facts in filter(None, FACTS.values()):
        for path, target in facts.fixed.items():
            value, said = (target["to"], target.get("says")) if _is_said(target) else (target, None)
            text = said or f"{shown(path)}: "
            change = partial(with_value, path=path, value=_filled(value))
            yield Change(facts, f"with another {path}", change, text)


def _is_said(target: Any) -> bool:
    return isinstance(target, dict) and "to" in target
