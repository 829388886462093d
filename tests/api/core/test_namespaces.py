"""Namespaces."""

from tests.api.objects import cells, create, make, update
from wherry.api.core.namespaces import NAMESPACES, NamespaceStrategy
from wherry.objects.meta import Object


def stored() -> Object:
    obj, errors = create(NAMESPACES, make(NAMESPACES))
    assert errors == []
    return obj


def test_born_active_with_finalizer_and_label() -> None:
    obj = stored()
    assert obj["status"] == {"phase": "Active"}
    assert obj["spec"] == {"finalizers": ["kubernetes"]}
    assert obj["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}
    assert NAMESPACES.selectable["status.phase"](obj) == "Active"
    assert cells(NAMESPACES, obj) == {"Name": "a", "Status": "Active", "Age": "5m"}


def test_names_are_labels() -> None:
    _, errors = create(NAMESPACES, make(NAMESPACES, name="a.b"))
    assert errors == ['metadata.name: Invalid value: "a.b": must not contain dots']


def test_finalizers_are_kubernetes_or_qualified() -> None:
    _, errors = create(NAMESPACES, make(NAMESPACES, spec={"finalizers": ["mine", "example.com/mine"]}))
    assert errors == [
        (
            'spec.finalizers: Invalid value: "mine": '
            "name is neither a standard finalizer name nor is it fully qualified"
        )
    ]


def test_updates_leave_spec_and_status_alone() -> None:
    new = make(NAMESPACES, spec={}, status={"phase": "Terminating"}, metadata={"labels": {"x": "y"}})
    changed, errors = update(NAMESPACES, stored(), new)
    assert errors == []
    assert changed["spec"] == {"finalizers": ["kubernetes"]}
    assert changed["status"] == {"phase": "Active"}
    assert changed["metadata"]["labels"] == {"x": "y", "kubernetes.io/metadata.name": "a"}


def test_finalize_changes_finalizers_only() -> None:
    strategy = NAMESPACES.strategy
    assert isinstance(strategy, NamespaceStrategy)
    old = stored()
    new = make(NAMESPACES, spec={}, status={"phase": "X"}, metadata={"labels": {"x": "y"}})
    strategy.prepare_finalize(new, old)
    assert new["spec"] == {}
    assert new["status"] == old["status"]
    assert new["metadata"]["labels"] == old["metadata"]["labels"]
    assert old["spec"] == {"finalizers": ["kubernetes"]}


def test_phase_follows_deletion() -> None:
    old = stored()
    new = {**old, "status": {"phase": "Terminating"}}
    (error,) = NAMESPACES.strategy.validate_status(new, old)
    assert "may only be 'Active' if `deletionTimestamp` is empty" in str(error)
