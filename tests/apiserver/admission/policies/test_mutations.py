"""What can only come of expressions nobody checked."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.admission.policies.mutations import MutationFailed, atomic_parts, mutated
from wherry.apiserver.ownership import shape_of


class Says:
    """A scope in which every expression comes to the same."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def evaluate(self, source: str) -> Any:
        """The value."""
        return self._value


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (
            "ApplyConfiguration",
            {"data": {}},
            "unsupported return type from ApplyConfiguration expression: map",
        ),
        ("ApplyConfiguration", 1, "unsupported return type from ApplyConfiguration expression: int"),
        ("JSONPatch", "x", "type mismatch: JSONPatchType.expression should evaluate to array"),
        (
            "JSONPatch",
            [{"op": "add"}],
            "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch",
        ),
    ],
)
def test_values_of_the_wrong_type(kind: str, value: Any, why: str) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap"}
    with pytest.raises(MutationFailed) as caught:
        mutated({"patchType": kind}, Says(value), obj, CONFIG_MAPS)  # type: ignore[arg-type]
    assert str(caught.value) == why


def test_what_is_replaced_as_a_whole_is_found() -> None:
    containers = [{"name": "c", "args": [], "env": [{"name": "e"}]}]
    spec = {"selector": {"matchLabels": {}}, "template": {"spec": {"containers": containers}}}
    found = atomic_parts({"spec": spec}, shape_of(DEPLOYMENTS))
    assert list(found) == [".spec.selector", ".spec.template.spec.containers[0].args"]
