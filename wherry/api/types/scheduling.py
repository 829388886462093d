# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `scheduling` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class PriorityClass(TypedDict, total=False):
    apiVersion: str
    description: str
    globalDefault: bool
    kind: str
    metadata: meta.ObjectMeta
    preemptionPolicy: str
    value: int


class PriorityClassList(TypedDict, total=False):
    apiVersion: str
    items: list[PriorityClass]
    kind: str
    metadata: meta.ListMeta
