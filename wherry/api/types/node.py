# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `node` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import core, meta


class Overhead(TypedDict, total=False):
    podFixed: dict[str, str | int | float]


class RuntimeClass(TypedDict, total=False):
    apiVersion: str
    handler: str
    kind: str
    metadata: meta.ObjectMeta
    overhead: Overhead
    scheduling: Scheduling


class RuntimeClassList(TypedDict, total=False):
    apiVersion: str
    items: list[RuntimeClass]
    kind: str
    metadata: meta.ListMeta


class Scheduling(TypedDict, total=False):
    nodeSelector: dict[str, str]
    tolerations: list[core.Toleration]
