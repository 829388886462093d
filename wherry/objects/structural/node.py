"""One schema node, read once: `Node`. It is a `Shape`, so that patches and field ownership know lists.

A node says what a value is (type, properties, items), what else holds (value validations, kept as they
were written in `source`), and how it behaves (preserved, embedded, nullable, list type). Sub-schemas of
allOf, anyOf, oneOf and not are nodes too.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any

import orjson

from wherry.objects.repeats import frozen
from wherry.objects.shape import Shape

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"
RULES = "x-kubernetes-validations"


class Node:
    """The schema `source` (as decoded JSON, not to be changed afterwards).

    `meta_shape` is the shape of metadata; it is known at the root and in embedded resources.
    """

    patch_strategies: tuple[str, ...] = ()
    patch_merge_key = ""

    def __init__(
        self, source: Mapping[str, Any], meta_shape: Shape | None = None, *, is_root: bool = False
    ) -> None:
        self.source = source
        self.is_root = is_root
        self.type: str = source.get("type") or ""
        self.nullable = bool(source.get("nullable"))
        self.preserves = bool(source.get(PRESERVE))
        self.is_embedded = bool(source.get(EMBEDDED))
        self.is_int_or_string = bool(source.get(INT_OR_STRING))
        self.has_default = source.get("default") is not None
        self.list_type: str = source.get(LIST_TYPE) or ""
        self.list_map_keys: tuple[str, ...] = tuple(source.get(LIST_MAP_KEYS) or ())
        self.is_atomic_map = source.get(MAP_TYPE) == "atomic"
        self.rules: tuple[Mapping[str, Any], ...] = tuple(source.get(RULES) or ())
        self._meta_shape = meta_shape
        self.properties: dict[str, Node] = {
            name: Node(part, meta_shape) for name, part in (source.get("properties") or {}).items()
        }
        values = source.get("additionalProperties")
        self.allows_any = values is True
        self.values: Node | None = Node(values, meta_shape) if isinstance(values, Mapping) else None
        item = source.get("items")
        self.item: Node | None = Node(item, meta_shape) if isinstance(item, Mapping) else None

    @property
    def default(self) -> Any:
        """The default, shared: copy it before it goes into an object."""
        return self.source.get("default")

    @cached_property
    def encoded_default(self) -> bytes:
        """The default as JSON."""
        return orjson.dumps(self.default)

    @cached_property
    def defaulted(self) -> dict[str, Node]:
        """Those of the properties that have a default."""
        return {name: node for name, node in self.properties.items() if node.has_default}

    @cached_property
    def allowed(self) -> frozenset[Hashable] | None:
        """The values of `enum`, frozen; None where any value is allowed."""
        values = self.source.get("enum")
        return frozenset(frozen(value) for value in values) if values is not None else None

    @cached_property
    def all_of(self) -> tuple[Node, ...]:
        """Schemas that must all hold."""
        return self._parts("allOf")

    @cached_property
    def any_of(self) -> tuple[Node, ...]:
        """Schemas of which at least one must hold."""
        return self._parts("anyOf")

    @cached_property
    def one_of(self) -> tuple[Node, ...]:
        """Schemas of which exactly one must hold."""
        return self._parts("oneOf")

    @cached_property
    def negated(self) -> Node | None:
        """The schema that must not hold."""
        found = self.source.get("not")
        return Node(found, self._meta_shape) if isinstance(found, Mapping) else None

    def _parts(self, word: str) -> tuple[Node, ...]:
        return tuple(Node(part, self._meta_shape) for part in self.source.get(word) or ())

    @cached_property
    def has_rules(self) -> bool:
        """Whether this schema or anything below carries expression rules."""
        below = [*self.properties.values(), self.values, self.item]
        return bool(self.rules) or any(node is not None and node.has_rules for node in below)

    @cached_property
    def has_defaults(self) -> bool:
        """Whether anything below has a default."""
        below = [*self.properties.values(), self.values, self.item]
        return any(node is not None and (node.has_default or node.has_defaults) for node in below)

    @cached_property
    def has_unique_lists(self) -> bool:
        """Whether this or anything below is a list of type set or map."""
        below = [*self.properties.values(), self.values, self.item]
        return self.list_type in ("set", "map") or any(
            node is not None and node.has_unique_lists for node in below
        )

    @property
    def kind(self) -> str:
        """What the patch algorithms call it."""
        if self.is_int_or_string:
            return "scalar"
        if self.type == "array":
            return "list"
        if self.type in ("object", ""):
            if self.properties or self.is_embedded or self.is_root:
                return "struct"
            return "map" if self.values is not None else "any"
        return "scalar"

    @property
    def allows_unknown(self) -> bool:
        """Whether fields that are not declared are kept."""
        return self.preserves

    def field(self, name: str) -> Shape | None:
        """The shape of a field, or of a map's values; None where nothing is known."""
        if name == "metadata" and (self.is_root or self.is_embedded) and self._meta_shape is not None:
            return self._meta_shape
        return self.properties.get(name) or self.values

    def holds(self, name: str) -> bool:
        """False: objects of custom kinds have what was written."""
        return False

    def items(self) -> Shape | None:
        """The shape of a list's items."""
        return self.item

    def default_of(self, name: str) -> object:
        """The default of a field, None without one."""
        found = self.properties.get(name)
        return found.default if found is not None else None

    def __repr__(self) -> str:
        return f"<Node {self.kind} {self.type}>"
