"""What is known of a kind that was defined at run time, in one version: `CustomKind`.

It stands in for the schema tables, which know built-in kinds only: the shape for patches and field
ownership, the check of bodies, the document for OpenAPI, and where the scale subresource looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wherry.api import schema
from wherry.api.schema import Findings
from wherry.objects.meta import Object
from wherry.objects.shape import Shape
from wherry.objects.structural import Node, prune

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_ANY_WITH_METADATA = "io.k8s.api.core.v1.ConfigMap"


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a custom resource keeps what its Scale shows: names of fields from the root on."""

    spec_replicas: tuple[str, ...]
    status_replicas: tuple[str, ...]
    selector: tuple[str, ...] = ()


def value_at(obj: Object, path: tuple[str, ...]) -> Any:
    """The value at a path of field names, None when anything on the way is absent."""
    here: Any = obj
    for name in path:
        here = here.get(name) if isinstance(here, dict) else None
    return here


_ANYTHING: Mapping[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class CustomKind:
    """One version of a custom kind, from its `openAPIV3Schema`, None for one without a schema."""

    def __init__(self, document: Mapping[str, Any] | None, scale: ScalePaths | None = None) -> None:
        self.document = document
        self.scale = scale

    @cached_property
    def root(self) -> Node:
        """The structural schema."""
        return Node(
            _ANYTHING if self.document is None else self.document,
            schema.definition(_OBJECT_META),
            is_root=True,
        )

    @property
    def shape(self) -> Shape:
        """What patches and field ownership need to know."""
        return self.root

    def check(self, obj: Object) -> Findings:
        """What strict decoding finds in `obj`; drops unspecified fields in place."""
        unknown = [f'unknown field "{path}"' for path in prune(obj, self.root)]
        meta = obj.get("metadata")
        if meta is None:
            return Findings(tuple(unknown))
        found = schema.check({"metadata": meta}, schema.definition(_ANY_WITH_METADATA))
        return Findings((*unknown, *found.unknown), found.errors)
