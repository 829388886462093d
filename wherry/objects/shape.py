"""What the patch algorithms need to know of a type, and no more: `Shape`.

Strategic merge and server-side apply depend on merge keys and list types. The schema tables in
`wherry.api.schema` fulfil this protocol for built-in kinds, structural schemas do for custom ones;
the algorithms in this package know only the protocol.
"""

from __future__ import annotations

from typing import Protocol


class Shape(Protocol):
    """The shape of one value.

    `kind` is "scalar", "struct" (named fields), "map" (any key, all values of one shape), "list" or
    "any" (unknown content: merge maps granularly, treat lists as atomic).
    """

    @property
    def kind(self) -> str: ...

    @property
    def list_type(self) -> str:
        """Of a list: "atomic", "set", "map", or "" (which means atomic)."""
        ...

    @property
    def list_map_keys(self) -> tuple[str, ...]:
        """Of a list of type map: the fields that identify an item."""
        ...

    @property
    def is_atomic_map(self) -> bool:
        """Of a struct or map: whether it is owned and replaced as a whole."""
        ...

    @property
    def allows_unknown(self) -> bool:
        """Of a struct: whether it may have fields nothing is known of."""
        ...

    @property
    def patch_strategies(self) -> tuple[str, ...]:
        """Strategic merge directives of the field: "merge", "replace", "retainKeys"."""
        ...

    @property
    def patch_merge_key(self) -> str:
        """Of a list with patch strategy merge: the field that identifies an item ("" for scalars)."""
        ...

    def field(self, name: str) -> Shape | None:
        """The shape of a struct's field or of a map's values; None for a field a struct lacks."""
        ...

    def items(self) -> Shape | None:
        """The shape of a list's items."""
        ...

    def holds(self, name: str) -> bool:
        """Of a struct: whether the field is there in every object, if only as a zero nobody wrote.

        So it is in Go for what is neither behind a pointer nor left out of JSON.
        """
        ...

    def default_of(self, name: str) -> object:
        """The schema's default of a struct's field, None without one (list map keys need it)."""
        ...
