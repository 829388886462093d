"""Whether stored JSON may have what `check` takes away is told without decoding it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wherry.api.schema import check, definition, definition_names, may_have_zeros

POD = definition("io.k8s.api.core.v1.Pod")
ZEROS: tuple[Any, ...] = (None, [], {}, "", False, 0)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"securityContext": {}, "volumes": [{"name": "a", "emptyDir": {}}]}, False),
        ({"nodeName": ""}, True),
        ({"containers": [{"name": "c", "env": []}]}, True),
        ({"containers": [{"name": "c", "resources": {}}]}, True),
        ({"priority": 0, "hostNetwork": True}, False),
        ({"hostNetwork": False}, True),
        ({"priority": None}, True),
        ({"nodeSelector": {"a": "", "b": '"nodeName":""'}}, False),
    ],
)
def test_pods(spec: dict[str, Any], expected: bool) -> None:
    assert may_have_zeros(orjson.dumps({"spec": spec}), POD) is expected


def test_nothing_that_goes_is_missed() -> None:
    """Every field of every struct, with every zero: whatever `check` changes is told of."""
    for name in definition_names():
        struct = definition(name)
        for field in struct.fields():
            for zero in ZEROS:
                obj = {field: zero}
                data = orjson.dumps(obj)
                if check(obj, struct) or obj != {field: zero} or type(obj.get(field)) is not type(zero):
                    told = may_have_zeros(data, struct)
                    assert told or field in obj, f"{name}.{field}: {zero!r} goes"
