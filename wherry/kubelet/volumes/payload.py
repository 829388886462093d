"""The files of volumes with content: pure functions from objects to paths, bytes and modes.

Items select and rename keys; what is missing is an error unless the source is optional. Texts are
upstream's.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from wherry.kubelet.fields import UnknownField, read_field, read_resource
from wherry.kubelet.volumes.base import MountFailure
from wherry.objects.meta import Object

DEFAULT_MODE = 0o644


class File(NamedTuple):
    """One file: content, permission bits, and its owner if not root."""

    data: bytes
    mode: int
    uid: int | None = None


Payload: TypeAlias = dict[str, File]
"""Files by path relative to the volume."""

Lookup: TypeAlias = Callable[[str, str], Object | None]


def config_map_payload(name: str, source: Mapping[str, Any], lookup: Lookup, mode: int) -> Payload:
    """The files of a ConfigMap. Raises MountFailure."""
    obj = _find("ConfigMap", name, source, lookup)
    if obj is None:
        return {}
    contents = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    contents.update((k, base64.b64decode(v)) for k, v in (obj.get("binaryData") or {}).items())
    return _select(contents, source, mode, "config")


def secret_payload(name: str, source: Mapping[str, Any], lookup: Lookup, mode: int) -> Payload:
    """The files of a Secret. Raises MountFailure."""
    obj = _find("Secret", name, source, lookup)
    if obj is None:
        return {}
    contents = {key: base64.b64decode(value or "") for key, value in (obj.get("data") or {}).items()}
    return _select(contents, source, mode, "secret")


def downward_payload(
    pod: Object, items: Sequence[Mapping[str, Any]], mode: int, allocatable: Mapping[str, str]
) -> Payload:
    """The files that tell a pod about itself. Raises MountFailure."""
    payload: Payload = {}
    for item in items:
        try:
            if item.get("fieldRef"):
                text = read_field(pod, item["fieldRef"]["fieldPath"], [], [])
            else:
                text = read_resource(pod, item.get("resourceFieldRef") or {}, "", allocatable)
        except UnknownField as error:
            raise MountFailure(str(error)) from None
        payload[item["path"]] = File(text.encode(), _mode(item, mode))
    return payload


def default_mode(source: Mapping[str, Any]) -> int:
    """The source's `defaultMode`, 0644 when not given."""
    mode = source.get("defaultMode")
    return DEFAULT_MODE if mode is None else int(mode)


def _find(kind: str, name: str, source: Mapping[str, Any], lookup: Lookup) -> Object | None:
    obj = lookup(kind, name)
    if obj is None and not source.get("optional"):
        raise MountFailure(f'{kind.lower()} "{name}" not found')
    return obj


def _select(contents: Mapping[str, bytes], source: Mapping[str, Any], mode: int, what: str) -> Payload:
    items = source.get("items")
    if not items:
        return {key: File(data, mode) for key, data in contents.items()}
    payload: Payload = {}
    for item in items:
        if item["key"] in contents:
            payload[item["path"]] = File(contents[item["key"]], _mode(item, mode))
        elif not source.get("optional"):
            raise MountFailure(f"references non-existent {what} key: {item['key']}")
    return payload


def _mode(item: Mapping[str, Any], mode: int) -> int:
    return mode if item.get("mode") is None else int(item["mode"])
