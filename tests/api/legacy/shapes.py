"""Random objects of a type, made from its schema, for tests of conversions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from wherry.api import schema
from wherry.api.schema import Definition, Field

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
TEXTS = st.text("abc.-/", max_size=4)
KEYS = st.sampled_from(["a", "b", "example.com/c"])
LABELS = st.dictionaries(KEYS, TEXTS, max_size=2)
# Empty maps and lists mean absent; conversions need not tell them apart.
SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(KEYS, TEXTS, min_size=1, max_size=2),
        "matchExpressions": st.lists(
            st.fixed_dictionaries(
                {"key": st.sampled_from(["a", "b"]), "operator": st.sampled_from(["Exists", "DoesNotExist"])}
            ),
            min_size=1,
            max_size=2,
        ),
    },
)
TEMPLATES = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({}, optional={"labels": LABELS}),
        "spec": st.fixed_dictionaries({"containers": st.lists(st.fixed_dictionaries({"name": TEXTS}))}),
    },
)
METADATA = st.fixed_dictionaries(
    {"name": TEXTS},
    optional={
        "labels": LABELS,
        "annotations": st.dictionaries(st.sampled_from(["a", "b"]), TEXTS, min_size=1, max_size=2),
        "generation": st.integers(1, 9),
    },
)
PARTS: Mapping[str, st.SearchStrategy[Any]] = {
    f"{META}.ObjectMeta": METADATA,
    f"{META}.LabelSelector": SELECTORS,
    "io.k8s.api.core.v1.PodTemplateSpec": TEMPLATES,
    "io.k8s.api.batch.v1.JobSpec": st.fixed_dictionaries({}, optional={"parallelism": st.integers(0, 3)}),
    "io.k8s.api.core.v1.PersistentVolumeClaim": st.fixed_dictionaries({"metadata": METADATA}),
    "io.k8s.apimachinery.pkg.runtime.RawExtension": st.dictionaries(TEXTS, TEXTS, max_size=1),
}
"""Types written here rather than taken from the schema: deep, or with more rules than a schema tells."""


def objects(
    name: str, api_version: str, kind: str, parts: Mapping[str, st.SearchStrategy[Any]] = PARTS
) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of the definition `name`; `parts` are strategies for definitions inside, by name."""
    made = _struct(schema.definition(name), parts)
    return made.map(lambda body: {**body, "apiVersion": api_version, "kind": kind})


def _struct(
    definition: Definition, parts: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    fields = {
        name: _value(field, parts)
        for name, field in definition.fields().items()
        if name not in ("apiVersion", "kind")
    }
    # Every stored object has a spec where its kind has one: defaulting sees to that.
    required = {name: fields.pop(name) for name in ("metadata", "spec") if name in fields}
    return st.fixed_dictionaries(required, optional=fields)


def _value(field: Field, parts: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    target = field.definition
    if target is not None and target.name in parts:
        return parts[target.name]
    if field.enum:
        return st.sampled_from(field.enum)
    match field.type:
        case "string":
            return TEXTS
        case "integer":
            return st.integers(0, 9)
        case "boolean":
            return st.booleans()
        case "time":
            return st.just("2026-01-01T00:00:00Z")
        case "int-or-string":
            return st.integers(0, 9) | st.sampled_from(["10%", "http"])
        case "array":
            items = field.items()
            assert items is not None
            return st.lists(_value(items, parts), max_size=2)
        case "object" if target is not None:
            return _struct(target, parts)
        case _:
            values = field.field("")
            return LABELS if values is None else st.dictionaries(TEXTS, _value(values, parts), max_size=2)
