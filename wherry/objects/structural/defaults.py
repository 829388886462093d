"""Fill in what was left out: `apply_defaults`.

An explicit null counts as left out unless the field is nullable: it takes the default if there is one,
and goes away if there is none.

A schema may have a thousand defaults for each item of a list, so what is filled in is counted while it is: a
few kilobytes would become gigabytes before anybody could look at them.
"""

from __future__ import annotations

from typing import Any

import orjson

from wherry.objects.structural.node import Node

MOST_ADDED_BYTES = 1536 * 1024
"""How much JSON defaults may add to one object: as much as is stored of one."""


class TooManyDefaults(ValueError):
    """The defaults come to more than an object may have; what it was given until then is in it."""

    def __init__(self) -> None:
        super().__init__(f"the defaults of its schema come to more than {MOST_ADDED_BYTES} bytes")


def apply_defaults(value: Any, node: Node) -> bool:
    """Set defaults in `value` in place, drop nulls that are not allowed; whether anything changed.

    It takes as long as `value` and what is added are large, however much the schema declares. Raises
    TooManyDefaults.
    """
    return _Filling().fill(value, node)


class _Filling:
    """One object being filled in: how many bytes may still be added."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_ADDED_BYTES

    def fill(self, value: Any, node: Node) -> bool:
        if type(value) is list:
            return node.item is not None and self._fill_list(value, node.item)
        if type(value) is not dict:
            return False
        changed = self._fill_known(value, node)
        if node.values is not None:
            changed |= self._fill_values(value, node, node.values)
        return changed

    def _fill_list(self, items: list[Any], node: Node) -> bool:
        changed = False
        for index, item in enumerate(items):
            if item is None and node.has_default and not node.nullable:
                items[index] = self._default(node)
                changed = True
            changed |= self.fill(items[index], node)
        return changed

    def _fill_known(self, value: dict[str, Any], node: Node) -> bool:
        changed = False
        for name in [name for name in value if name in node.properties]:
            below = node.properties[name]
            if value[name] is None and not below.nullable:
                if below.has_default:
                    value[name] = self._default(below)
                elif _is_specified(below):
                    del value[name]
                    changed = True
                    continue
                else:
                    continue
                changed = True
            changed |= self.fill(value[name], below)
        for name, below in node.defaulted.items():
            if name not in value:
                value[name] = self._default(below, len(name))
                self.fill(value[name], below)
                changed = True
        return changed

    def _fill_values(self, value: dict[str, Any], node: Node, values: Node) -> bool:
        changed = False
        for name in [name for name in value if name not in node.properties]:
            if value[name] is None and not values.nullable and values.has_default:
                value[name] = self._default(values)
                changed = True
            changed |= self.fill(value[name], values)
        return changed

    def _default(self, node: Node, name_bytes: int = 0) -> Any:
        """A copy of the default, which is counted before it is made. Raises TooManyDefaults."""
        encoded = node.encoded_default
        self._left -= name_bytes + len(encoded) + len('"":,')
        if self._left < 0:
            raise TooManyDefaults
        return orjson.loads(encoded) if encoded[:1] in (b"{", b"[") else node.default


def _is_specified(node: Node) -> bool:
    """Whether null could not be meant: anything goes where unknown content is preserved."""
    return not (node.preserves and not node.type)
