"""Between an old version and the stored one nothing is lost, whichever it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.legacy.shapes import METADATA, PARTS, TEXTS, objects
from wherry.api.catalog import BUILTIN
from wherry.api.legacy.catalog import LEGACY
from wherry.api.legacy.disruption_selectors import MARK
from wherry.api.resource import Resource
from wherry.objects.meta import Object

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
PORTS = st.integers(1, 9) | st.sampled_from(["http", ""])
OTHER = st.fixed_dictionaries({"kind": TEXTS, "name": TEXTS})
OLD_BACKENDS = st.fixed_dictionaries(
    {"serviceName": TEXTS.filter(bool)}, optional={"servicePort": PORTS | st.just(0), "resource": OTHER}
) | st.fixed_dictionaries({}, optional={"resource": OTHER})
MODERN_BACKENDS = st.fixed_dictionaries(
    {
        "service": st.fixed_dictionaries(
            {"name": TEXTS.filter(bool)},
            optional={
                "port": st.just({})
                | st.fixed_dictionaries({"number": st.integers(1, 9)})
                | st.fixed_dictionaries({"name": st.sampled_from(["http", ""])})
            },
        )
    },
    optional={"resource": OTHER},
) | st.fixed_dictionaries({}, optional={"resource": OTHER})
MARKED = st.sampled_from(["Exists", "DoesNotExist"]).map(
    lambda operator: {"matchExpressions": [{"key": MARK, "operator": operator}]}
)
OLD_ORDERS: st.SearchStrategy[Object] = st.just({}) | st.fixed_dictionaries({"revision": st.integers(1, 9)})
ANNOTATED = st.builds(
    lambda meta, key, text: {**meta, "annotations": {**meta.get("annotations", {}), key: text}},
    METADATA,
    st.sampled_from(["deprecated.deployment.rollback.to", "deprecated.daemonset.template.generation"]),
    st.sampled_from(["0", "3", "03", "x", ""]),
)

OLD_PARTS: Mapping[str, st.SearchStrategy[Any]] = {
    **PARTS,
    "io.k8s.api.extensions.v1beta1.IngressBackend": OLD_BACKENDS,
    "io.k8s.api.networking.v1beta1.IngressBackend": OLD_BACKENDS,
    "io.k8s.api.extensions.v1beta1.RollbackConfig": OLD_ORDERS,
    "io.k8s.api.apps.v1beta1.RollbackConfig": OLD_ORDERS,
}
MODERN_PARTS: Mapping[str, st.SearchStrategy[Any]] = {
    **PARTS,
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": METADATA | ANNOTATED,
    "io.k8s.api.networking.v1.IngressBackend": MODERN_BACKENDS,
}


def modern_of(resource: Resource) -> Resource:
    return next(
        r
        for r in BUILTIN
        if r.storage_key == resource.storage_key and (r.group, r.version) == resource.storage_version
    )


def to_storage(resource: Resource, obj: Object) -> Object:
    if resource.to_storage is not None:
        return resource.to_storage(obj)
    return {**obj, "apiVersion": modern_of(resource).api_version}


def from_storage(resource: Resource, obj: Object) -> Object:
    if resource.from_storage is not None:
        return resource.from_storage(obj)
    return {**obj, "apiVersion": resource.api_version}


every = pytest.mark.parametrize("resource", LEGACY, ids=lambda r: f"{r.plural}.{r.api_version}")


@every
def test_old_to_stored_to_old(resource: Resource) -> None:
    @QUICK
    @given(objects(resource.schema, resource.api_version, resource.kind, OLD_PARTS))
    def check(obj: Object) -> None:
        before = repr(obj)
        stored = to_storage(resource, obj)
        assert stored["apiVersion"] == modern_of(resource).api_version
        assert from_storage(resource, stored) == obj
        assert repr(obj) == before, "a conversion changed its argument"

    check()


@every
def test_stored_to_old_to_stored(resource: Resource) -> None:
    modern = modern_of(resource)

    @QUICK
    @given(objects(modern.schema, modern.api_version, modern.kind, MODERN_PARTS))
    def check(obj: Object) -> None:
        before = repr(obj)
        old = from_storage(resource, obj)
        assert old["apiVersion"] == resource.api_version
        assert to_storage(resource, old) == obj
        assert repr(obj) == before, "a conversion changed its argument"

    check()


@given(MARKED)
def test_the_mark_itself_is_exchanged_both_ways(selector: Object) -> None:
    """A budget with the mark means the same in both versions, though it may be written more simply."""
    (resource,) = [r for r in LEGACY if r.kind == "PodDisruptionBudget"]
    obj = {"apiVersion": "policy/v1", "kind": resource.kind, "metadata": {}, "spec": {"selector": selector}}
    again = to_storage(resource, from_storage(resource, obj))
    means_all = selector["matchExpressions"][0]["operator"] == "DoesNotExist"
    assert again["spec"]["selector"] in (({}, selector) if means_all else (selector,))
