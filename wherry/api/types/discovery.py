# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `discovery` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import core, meta


class Endpoint(TypedDict, total=False):
    addresses: list[str]
    conditions: EndpointConditions
    deprecatedTopology: dict[str, str]
    hints: EndpointHints
    hostname: str
    nodeName: str
    targetRef: core.ObjectReference
    zone: str


class EndpointConditions(TypedDict, total=False):
    ready: bool
    serving: bool
    terminating: bool


class EndpointHints(TypedDict, total=False):
    forNodes: list[ForNode]
    forZones: list[ForZone]


class EndpointPort(TypedDict, total=False):
    appProtocol: str
    name: str
    port: int
    protocol: str


class EndpointSlice(TypedDict, total=False):
    addressType: str
    apiVersion: str
    endpoints: list[Endpoint]
    kind: str
    metadata: meta.ObjectMeta
    ports: list[EndpointPort]


class EndpointSliceList(TypedDict, total=False):
    apiVersion: str
    items: list[EndpointSlice]
    kind: str
    metadata: meta.ListMeta


class ForNode(TypedDict, total=False):
    name: str


class ForZone(TypedDict, total=False):
    name: str
