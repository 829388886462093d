"""The messages: their fields, numbers and types, read from the generated table; and which kind is which.

Reading the table is put off until the first protobuf request, and each message is decoded when it is
first needed.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson

from wherry.kit.remembered import remembered

TABLE = Path(__file__).with_name("messages.txt")

META = "k8s.io.apimachinery.pkg.apis.meta.v1"
STATUS_KINDS = frozenset({"Status", "List", "APIVersions", "APIGroup", "APIGroupList", "APIResourceList"})
OPTION_KINDS = frozenset(
    {"DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "ListOptions", "GetOptions"}
)
META_KINDS = frozenset({"PartialObjectMetadata", "PartialObjectMetadataList"}) | OPTION_KINDS

_SCALARS = frozenset({"string", "bytes", "bool", "int32", "int64", "double"})

_PACKAGES = {
    "": "k8s.io.api.core",
    "apiextensions.k8s.io": "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "k8s.io.kube_aggregator.pkg.apis.apiregistration",
    "internal.apiserver.k8s.io": "k8s.io.api.apiserverinternal",
    "meta.k8s.io": "k8s.io.apimachinery.pkg.apis.meta",
    "metrics.k8s.io": "k8s.io.metrics.pkg.apis.metrics",
} | {
    group: f"k8s.io.api.{group.partition('.')[0]}"
    for group in (
        "admissionregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    )
}


class Field(NamedTuple):
    """A field. `name` is that of the JSON form; `type` a scalar's word or a message's full name.

    `shape` is "" for a single value, "list" or "map" (its keys are texts). `is_inline` says that the
    message's fields stand among those of its parent in JSON; `keeps_zero` that 0, "" and false are
    written there, because the field is a pointer or never left out; `omits_empty` that even a
    message is left out when all of it is zero; `is_pointer` that it may be nothing at all.
    """

    name: str
    number: int
    type: str
    shape: str
    is_inline: bool
    keeps_zero: bool
    omits_empty: bool
    is_pointer: bool

    @property
    def is_scalar(self) -> bool:
        """Whether the values are no messages."""
        return self.type in _SCALARS


@lru_cache(1)
def _lines() -> dict[str, bytes]:
    """Each message's fields as JSON, undecoded, by the message's name."""
    found: dict[str, bytes] = {}
    for line in TABLE.read_bytes().splitlines():
        name, _, text = line.partition(b" ")
        found[name.decode()] = text
    return found


def message_names() -> tuple[str, ...]:
    """The full names of all messages, sorted."""
    return tuple(_lines())


@lru_cache(None)
def fields_of(message: str) -> tuple[Field, ...]:
    """The fields of a message. Raises KeyError for an unknown one."""
    package = message.rpartition(".")[0]
    return tuple(
        _field(name, number, kind, flags, package)
        for name, (number, kind, flags) in orjson.loads(_lines()[message]).items()
    )


def _field(name: str, number: int, kind: str, flags: str, package: str) -> Field:
    shape = ""
    if kind.startswith("[]"):
        kind, shape = kind[2:], "list"
    elif kind.startswith("map<"):
        kind, shape = kind[len("map<string,") : -1], "map"
    if "." not in kind and kind not in _SCALARS:
        kind = f"{package}.{kind}"
    keeps_zero = "p" in flags or "o" not in flags
    return Field(
        name, number, kind, shape, "i" in flags, keeps_zero, "z" in flags and "p" not in flags, "p" in flags
    )


@remembered(1024)
def message_of(api_version: str, kind: str) -> str:
    """The message a kind travels as, "" when it has none (custom resources, Tables)."""
    group, _, version = api_version.rpartition("/")
    package = _PACKAGES.get(group)
    if package is not None and (name := f"{package}.{version}.{kind}") in _lines():
        return name
    if kind in OPTION_KINDS or (kind in STATUS_KINDS and api_version == "v1"):
        return f"{META}.{kind}"  # every group version has the options, whoever serves it
    if group == "meta.k8s.io" and kind in META_KINDS:
        return f"{META}.{kind}"
    return ""
