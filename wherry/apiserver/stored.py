"""Stored values whoever wrote them: `StoredForm` brings them into the form this server writes.

What this server wrote is recognised by its first bytes and taken as it is. Another API server may have
written the fields in another order, in another version (before an upgrade, or after a downgrade), or in
protobuf, and left out what this version has defaults for; such a value is decoded, converted, completed
and encoded anew, in memory alone: the store changes with the object's next write.
"""

from __future__ import annotations

import orjson

from wherry.api import protobuf
from wherry.api.resource import Resource
from wherry.apiserver.encoding import decode, encode_stored
from wherry.objects.meta import Object

PROTOBUF_MAGIC = b"k8s\x00"


class OldForms:
    """Which objects are stored in another version or form than this server writes.

    They are to be stored anew even if a write changes nothing of them: that is what the migration of
    storage versions goes by.
    """

    __slots__ = ("_revisions",)

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}

    def note(self, key: str, revision: int, *, is_old: bool) -> None:
        """How the object stands at that revision, which may be older than what is known of it."""
        known = self._revisions.get(key)
        if is_old:
            self._revisions[key] = revision if known is None else max(known, revision)
        elif known is not None and known <= revision:
            del self._revisions[key]

    def hold(self, key: str, revision: int) -> bool:
        """Whether the object is stored so at that revision."""
        return self._revisions.get(key) == revision


class StoredForm:
    """The stored form of one built-in resource; custom ones are read through views of their own."""

    __slots__ = ("_api_version", "_head", "_resource")

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        group, version = resource.storage_version or (resource.group, resource.version)
        self._api_version = f"{group}/{version}" if group else version
        self._head = b"" if resource.custom is not None else _head_of(self._api_version, resource.kind)

    def of(self, value: bytes) -> bytes:
        """The value as this server would have written it. Raises ValueError if nobody can read it."""
        return value if value.startswith(self._head) else self._adopted(value)

    def _adopted(self, value: bytes) -> bytes:
        try:
            obj = protobuf.decode(value) if value.startswith(PROTOBUF_MAGIC) else decode(value)
            return encode_stored(self._completed(obj) if obj.get("apiVersion") else obj)
        except protobuf.ProtobufError as error:
            raise ValueError(str(error)) from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"the object is not as its kind should be: {error!r}") from error

    def _completed(self, obj: Object) -> Object:
        """The object in the stored version, with that version's defaults."""
        from wherry.api.catalog import by_kind  # everything there is: not for those who read only their own

        version, kind = str(obj["apiVersion"]), self._resource.kind
        if version != self._api_version:
            written = by_kind(version, kind)
            if written is None or written.storage_key != self._resource.storage_key:
                raise ValueError(f"nothing is known of {obj.get('kind')} in {version}")
            obj = written.to_storage(obj) if written.to_storage else {**obj, "apiVersion": self._api_version}
        declared = by_kind(self._api_version, kind)
        if declared is not None:
            declared.strategy.default(obj)
            return obj
        resource = self._resource
        if resource.to_storage is None or resource.from_storage is None:
            return obj
        served = resource.from_storage(obj)
        resource.strategy.default(served)
        return resource.to_storage(served)


def _head_of(api_version: str, kind: str) -> bytes:
    return b'{"apiVersion":%b,"kind":%b,"metadata":' % (orjson.dumps(api_version), orjson.dumps(kind))
