"""Read struct definitions, with their tags, out of a Go program.

A Go program carries the types it may reflect on: every field with its name, type and tag. The tags
of Kubernetes' types say what no published schema does: which fields are pointers, which are left
out when empty, which are embedded, and their protobuf numbers. Reading them from a kubectl of the
API level gives exactly what that release speaks. Only position-dependent 64-bit ELF files are read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_NAMED, _EXTRA_STAR, _UNCOMMON = 4, 2, 1
_TYPE_SIZE, _STRUCT_SIZE, _FIELD_SIZE = 48, 80, 24
_MOST_FIELDS = 400
_PTR, _SLICE, _STRUCT, _MAP = 22, 23, 25, 21
_SCALARS = {1: "bool", 3: "int8", 5: "int32", 6: "int64", 2: "int64", 8: "uint8", 14: "double", 24: "string"}
_TAG = re.compile(r'(\w+):"([^"]*)"')


@dataclass(frozen=True, slots=True)
class GoField:
    """A field; its `type` is `*T`, `[]T`, `map<K,V>`, a scalar, or a struct as `path/of/package.Name`."""

    name: str
    type: str
    tags: dict[str, str]


class GoProgram:
    """The types of one program. Raises ValueError for a file that is none, or is position independent."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        if data[:5] != b"\x7fELF\x02" or data[16] != 2:
            raise ValueError(f"{path} is not a position-dependent 64-bit ELF program")
        self._base, self._data = _section(data, ".rodata")

    def structs(self) -> Iterator[tuple[str, list[GoField]]]:
        """Each named struct type: `path/of/package.Name` and its fields."""
        for address in self._candidates():
            if self._flags(address) & (_NAMED | _UNCOMMON) != _NAMED | _UNCOMMON:
                continue
            try:
                found = self._full_name(address), list(self._fields(address))
            except (IndexError, struct.error, UnicodeDecodeError):
                continue  # bytes that only looked like a type
            yield found

    def _candidates(self) -> list[int]:
        """Addresses at which a struct type may stand: the kind fits, and so does the list of fields."""
        words = np.frombuffer(self._data[: len(self._data) // 8 * 8], dtype="<u8")
        at = np.nonzero((words[2:-8] >> np.uint64(56)) & np.uint64(31) == _STRUCT)[0]
        fields, count, capacity = words[at + 7], words[at + 8], words[at + 9]
        in_data = (fields >= self._base) & (fields < self._base + len(self._data))
        plausible = (count == capacity) & (count < _MOST_FIELDS) & (in_data | (count == 0))
        return [self._base + int(position) * 8 for position in at[plausible]]

    def _fields(self, address: int) -> Iterator[GoField]:
        start, count = struct.unpack_from("<QQ", self._data, address - self._base + 56)
        for position in range(start - self._base, start - self._base + count * _FIELD_SIZE, _FIELD_SIZE):
            name_at, type_at = struct.unpack_from("<QQ", self._data, position)
            name, tag = self._name(name_at)
            yield GoField(name, self._spell(type_at), dict(_TAG.findall(tag)))

    def _spell(self, address: int) -> str:
        at = self._offset(address)
        kind = self._data[at + 23] & 31
        if kind in _SCALARS:
            return _SCALARS[kind]
        inner = struct.unpack_from("<QQ", self._data, at + _TYPE_SIZE)
        if kind == _PTR:
            return f"*{self._spell(inner[0])}"
        if kind == _SLICE:
            return "bytes" if self._spell(inner[0]) == "uint8" else f"[]{self._spell(inner[0])}"
        if kind == _MAP:
            return f"map<{self._spell(inner[0])},{self._spell(inner[1])}>"
        return self._full_name(address) if kind == _STRUCT and self._flags(address) & _UNCOMMON else "other"

    def _full_name(self, address: int) -> str:
        at = self._offset(address)
        (name_at,) = struct.unpack_from("<i", self._data, at + 40)
        (package_at,) = struct.unpack_from("<i", self._data, at + _STRUCT_SIZE)
        name = self._name(self._base + name_at)[0]
        package = self._name(self._base + package_at)[0]
        return f"{package}.{name.rpartition('.')[2]}"

    def _name(self, address: int) -> tuple[str, str]:
        """A name and its tag."""
        at = self._offset(address)
        size, start = self._varint(at + 1)
        name = self._data[start : start + size].decode()
        if not self._data[at] & 2:
            return name, ""
        tag_size, tag_start = self._varint(start + size)
        return name, self._data[tag_start : tag_start + tag_size].decode()

    def _varint(self, at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, at

    def _flags(self, address: int) -> int:
        return self._data[self._offset(address) + 20]

    def _offset(self, address: int) -> int:
        if not self._base <= address < self._base + len(self._data) - _TYPE_SIZE:
            raise IndexError(address)
        return address - self._base


def _section(data: bytes, wanted: str) -> tuple[int, bytes]:
    """The address and the bytes of an ELF section. Raises ValueError when there is none of that name."""
    (table,) = struct.unpack_from("<Q", data, 0x28)
    count, names_index = struct.unpack_from("<HH", data, 0x3C)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + index * 64) for index in range(count)]
    names = headers[names_index][4]
    for header in headers:
        start = names + header[0]
        if data[start : data.index(b"\0", start)].decode() == wanted:
            return header[3], data[header[4] : header[4] + header[5]]
    raise ValueError(f"the program has no section {wanted}")
