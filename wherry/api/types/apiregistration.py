# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `apiregistration` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class APIService(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: APIServiceSpec
    status: APIServiceStatus


class APIServiceCondition(TypedDict, total=False):
    lastTransitionTime: str
    message: str
    reason: str
    status: str
    type: str


class APIServiceList(TypedDict, total=False):
    apiVersion: str
    items: list[APIService]
    kind: str
    metadata: meta.ListMeta


class APIServiceSpec(TypedDict, total=False):
    caBundle: str
    group: str
    groupPriorityMinimum: int
    insecureSkipTLSVerify: bool
    service: ServiceReference
    version: str
    versionPriority: int


class APIServiceStatus(TypedDict, total=False):
    conditions: list[APIServiceCondition]


class ServiceReference(TypedDict, total=False):
    name: str
    namespace: str
    port: int
