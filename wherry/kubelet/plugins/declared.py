"""Protobuf messages from a table: the few that plug-ins speak need no generated code.

A message is a line of its fields, `type name number` with commas between: `[]` before a type makes it a list,
`map:` a map from texts, and a type that is no scalar is another message of the table. Each table has a
descriptor pool of its own, so that nothing else in the process can stand in its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "enum": _Field.TYPE_INT32,  # a number on the wire, as an enumeration is
}


class Messages:
    """The messages of one package, each as an attribute: `messages.Device(ID="a")`."""

    def __init__(self, package: str, table: Mapping[str, str]) -> None:
        """Raises ValueError for a table that is none."""
        file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
        for name, fields in table.items():
            _add_message(file.message_type.add(name=name), package, fields)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self._classes = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
            for name in table
        }

    def __getattr__(self, name: str) -> Any:
        try:
            return self._classes[name]
        except KeyError:
            raise AttributeError(name) from None


def _add_message(message: descriptor_pb2.DescriptorProto, package: str, fields: str) -> None:
    for field in filter(None, (part.split() for part in fields.split(","))):
        kind, name, number = field
        added = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
        if kind.startswith("map:"):
            entry = f"{''.join(part.title() for part in name.split('_'))}Entry"
            nested = message.nested_type.add(name=entry)
            nested.options.map_entry = True
            _add_message(nested, package, f"string key 1, {kind.removeprefix('map:')} value 2")
            added.label = _Field.LABEL_REPEATED
            added.type, added.type_name = _Field.TYPE_MESSAGE, f".{package}.{message.name}.{entry}"
            continue
        if kind.startswith("[]"):
            added.label, kind = _Field.LABEL_REPEATED, kind.removeprefix("[]")
        if kind in _SCALARS:
            added.type = _SCALARS[kind]
        else:
            added.type, added.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
