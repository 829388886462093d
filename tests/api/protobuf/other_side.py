"""Message classes of the `protobuf` package for Kubernetes' messages: the other side to compare with.

They are made from the same table of numbers, but everything on the wire is the package's own work. So is
what special types mean, which is written here a second time, in the plainest way.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields

from wherry.api.protobuf.messages import Field, fields_of, message_of
from wherry.objects.meta import Object

_LABELS = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _LABELS.TYPE_STRING,
    "bytes": _LABELS.TYPE_BYTES,
    "bool": _LABELS.TYPE_BOOL,
    "int32": _LABELS.TYPE_INT32,
    "int64": _LABELS.TYPE_INT64,
    "double": _LABELS.TYPE_DOUBLE,
}
_BY_HAND = {"Quantity", "Time", "MicroTime", "IntOrString", "RawExtension", "FieldsV1", "ExtraValue"}
UNKNOWN, WATCH_EVENT = (
    "k8s.io.apimachinery.pkg.runtime.Unknown",
    "k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent",
)


@cache
def message_class(root: str) -> Any:
    """The class of a message and everything it refers to, in a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(name="all.proto", syntax="proto2")
    waiting, done = [root], set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        message = file.message_type.add(name=_flat(name))
        for field in fields_of(name):
            _describe(message, field)
            if not field.is_scalar:
                waiting.append(field.type)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(_flat(root)))


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _describe(message: Any, field: Field) -> None:
    made = message.field.add(name=f"f{field.number}", number=field.number)
    made.label = _LABELS.LABEL_REPEATED if field.shape else _LABELS.LABEL_OPTIONAL
    value = made
    if field.shape == "map":
        entry = message.nested_type.add(name=f"F{field.number}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=_LABELS.TYPE_STRING, label=_LABELS.LABEL_OPTIONAL)
        value = entry.field.add(name="value", number=2, label=_LABELS.LABEL_OPTIONAL)
        made.type, made.type_name = _LABELS.TYPE_MESSAGE, f".{message.name}.{entry.name}"
    if field.is_scalar:
        value.type = _SCALARS[field.type]
    else:
        value.type, value.type_name = _LABELS.TYPE_MESSAGE, f".{_flat(field.type)}"


def write(obj: Object) -> bytes:
    """An object as the `protobuf` package writes it."""
    name = message_of(obj["apiVersion"], obj["kind"])
    message = message_class(name)()
    fill(message, obj, name)
    unknown = message_class(UNKNOWN)()
    unknown.f1.f1, unknown.f1.f2, unknown.f2 = obj["apiVersion"], obj["kind"], message.SerializeToString()
    return b"k8s\x00" + bytes(unknown.SerializeToString())


def fill(message: Any, obj: Any, name: str) -> None:
    """Set a message from a JSON value."""
    short = name.rpartition(".")[2]
    if short in _BY_HAND:
        return _fill_special(message, obj, short)
    for field in fields_of(name):
        at = f"f{field.number}"
        if field.is_inline:
            fill(getattr(message, at), obj, field.type)
            continue
        if field.name not in obj:
            continue
        value = obj[field.name]
        if field.shape == "map":
            for key, item in value.items():
                _fill_entry(getattr(message, at), key, item, field)
        elif field.shape and field.is_scalar:
            getattr(message, at).extend(value)
        elif field.shape:
            for item in value:
                fill(getattr(message, at).add(), item, field.type)
        elif field.is_scalar:
            setattr(message, at, base64.b64decode(value) if field.type == "bytes" else value)
        else:
            getattr(message, at).SetInParent()
            fill(getattr(message, at), value, field.type)
    return None


def _fill_entry(entries: Any, key: str, value: Any, field: Field) -> None:
    if field.is_scalar:
        entries[key] = base64.b64decode(value) if field.type == "bytes" else value
    else:
        fill(entries[key], value, field.type)


def _fill_special(message: Any, value: Any, short: str) -> None:
    match short:
        case "Quantity":
            message.f1 = value
        case "Time" | "MicroTime":
            moment = datetime.fromisoformat(value)
            message.f1, message.f2 = int(moment.replace(microsecond=0).timestamp()), moment.microsecond * 1000
        case "IntOrString":
            message.f1 = int(isinstance(value, str))
            if isinstance(value, str):
                message.f3 = value
            else:
                message.f2 = value
        case "ExtraValue":
            message.f1.extend(value)
        case _:
            message.f1 = json.dumps(value).encode()


def read(data: bytes) -> Object:
    """The object the `protobuf` package finds in `data`."""
    assert data.startswith(b"k8s\x00")
    unknown = message_class(UNKNOWN).FromString(data[4:])
    api_version, kind = unknown.f1.f1, unknown.f1.f2
    name = message_of(api_version, kind)
    message = message_class(name).FromString(unknown.f2)
    assert not len(unknown_fields.UnknownFieldSet(message))
    return {"apiVersion": api_version, "kind": kind, **_as_json(message, name)}


def _as_json(message: Any, name: str) -> Any:
    short = name.rpartition(".")[2]
    if short in _BY_HAND:
        return _special_as_json(message, short)
    obj: Object = {}
    for field in fields_of(name):
        value = getattr(message, f"f{field.number}")
        if field.shape == "map":
            if value:
                obj[field.name] = {key: _item_as_json(value[key], field) for key in value}
        elif field.shape:
            if value:
                obj[field.name] = [_item_as_json(item, field) for item in value]
        elif message.HasField(f"f{field.number}"):
            if field.is_inline:
                obj |= _as_json(value, field.type)
            else:
                obj[field.name] = _item_as_json(value, field)
    return obj


def _item_as_json(value: Any, field: Field) -> Any:
    if field.type == "bytes":
        return base64.b64encode(value).decode()
    return value if field.is_scalar else _as_json(value, field.type)


def _special_as_json(message: Any, short: str) -> Any:
    match short:
        case "Quantity":
            return message.f1
        case "Time":
            return datetime.fromtimestamp(message.f1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case "MicroTime":
            seconds = datetime.fromtimestamp(message.f1, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            return f"{seconds}.{message.f2 // 1000:06}Z"
        case "IntOrString":
            return message.f3 if message.f1 else message.f2
        case "ExtraValue":
            return list(message.f1)
        case _:
            return json.loads(message.f1)
