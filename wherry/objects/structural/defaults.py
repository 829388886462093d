"""Fill in what was left out: `apply_defaults`.

An explicit null counts as left out unless the field is nullable: it takes the default if there is one,
and goes away if there is none.
"""

from __future__ import annotations

from typing import Any

import orjson

from wherry.objects.structural.node import Node


def apply_defaults(value: Any, node: Node) -> bool:
    """Set defaults in `value` in place, drop nulls that are not allowed; whether anything changed."""
    if type(value) is list:
        if node.item is None:
            return False
        changed = False
        for index, item in enumerate(value):
            if item is None and node.item.has_default and not node.item.nullable:
                value[index] = _copy(node.item.default)
                changed = True
            changed |= apply_defaults(value[index], node.item)
        return changed
    if type(value) is not dict:
        return False
    changed = False
    for name, below in node.properties.items():
        if value.get(name) is None and not (name in value and below.nullable):
            if below.has_default:
                value[name] = _copy(below.default)
            elif name in value and _is_specified(below):
                del value[name]
            else:
                continue
            changed = True
        if name in value:
            changed |= apply_defaults(value[name], below)
    if node.values is not None:
        for name in [name for name in value if name not in node.properties]:
            if value[name] is None and not node.values.nullable and node.values.has_default:
                value[name] = _copy(node.values.default)
                changed = True
            changed |= apply_defaults(value[name], node.values)
    return changed


def _is_specified(node: Node) -> bool:
    """Whether null could not be meant: anything goes where unknown content is preserved."""
    return not (node.preserves and not node.type)


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value)) if type(value) in (dict, list) else value
